/** What the suites use of @xmpp/client 0.14, which comes without types. */
declare module '@xmpp/client' {
  export interface XmlElement {
    readonly name: string
    readonly attrs: Readonly<Record<string, string>>
    is(name: string): boolean
    getChild(name: string, ns?: string): XmlElement | undefined
    getChildText(name: string): string | null
  }

  export interface Client {
    start(): Promise<{ toString(): string }>
    stop(): Promise<unknown>
    send(element: XmlElement): Promise<void>
    on(event: 'stanza', listener: (stanza: XmlElement) => void): void
    on(event: 'error', listener: (error: Error) => void): void
    on(event: 'status', listener: (status: string) => void): void
    readonly iqCaller: { get(element: XmlElement, to?: string): Promise<XmlElement> }
    readonly socket: unknown
  }

  export interface ClientOptions {
    readonly service: string
    readonly domain: string
    readonly resource?: string
    readonly username: string
    readonly password: string
  }

  export function client(options: ClientOptions): Client
  export function xml(name: string, attributes?: Readonly<Record<string, string>>, ...children: readonly (XmlElement | string)[]): XmlElement
}
