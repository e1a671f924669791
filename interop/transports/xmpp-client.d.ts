/** What the suites use of @xmpp/client 0.14, which comes without types. */
declare module '@xmpp/client' {
  export interface XmlElement {
    readonly name: string
    readonly attrs: Readonly<Record<string, string>>
    is(name: string): boolean
    getChild(name: string, ns?: string): XmlElement | undefined
    getChildren(name: string): XmlElement[]
    getChildText(name: string): string | null
  }

  export interface Client {
    start(): Promise<{ toString(): string }>
    stop(): Promise<unknown>
    send(element: XmlElement): Promise<void>
    on(event: 'nonza' | 'stanza', listener: (stanza: XmlElement) => void): void
    on(event: 'online', listener: (jid: { toString(): string }) => void): void
    on(event: 'error', listener: (error: Error) => void): void
    on(event: 'status', listener: (status: string) => void): void
    readonly iqCaller: {
      get(element: XmlElement, to?: string): Promise<XmlElement>
      request(iq: XmlElement): Promise<XmlElement>
    }
    /** Of a client over direct TLS: a wrapper. */
    readonly socket: { readonly socket: { destroy(): void } }
    readonly fast: { saveToken(token: FastToken): Promise<void> }
    readonly streamManagement: {
      on(event: 'resumed', listener: () => void): void
      on(event: 'ack', listener: (stanza: XmlElement) => void): void
    }
  }

  export interface FastToken {
    readonly mechanism: string
    readonly token: string
    readonly expiry: string
  }

  export interface ClientOptions {
    readonly service: string
    readonly domain: string
    readonly resource?: string
    readonly username?: string
    readonly password?: string
    readonly credentials?: { readonly username: string; readonly password: string; readonly token?: FastToken }
    readonly userAgent?: XmlElement
  }

  export function client(options: ClientOptions): Client
  export function xml(name: string, attributes?: Readonly<Record<string, string>>, ...children: readonly (XmlElement | string)[]): XmlElement
}
