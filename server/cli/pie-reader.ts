/**
 * Reads XEP-0227 files user by user: a file of any size needs the memory of one user.
 *
 * XInclude is followed as §5 asks: at the levels of hosts, users and a user's children, by relative `href`, without
 * `parse` or `xpointer`. A file includes others only from its own folder and below; deeper inside a user it is data.
 */
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { fromWire, serialize, XmlElement } from '@rollcall/xml'
import { SaxesParser } from 'saxes'
import type { SaxesAttributeNS, SaxesTagNS } from 'saxes'
import { NS_PIE } from '../admin/index.ts'
import { RollcallError } from '../config/index.ts'

export interface PieUser {
  readonly host: string
  /** The `<user/>`, with `urn:xmpp:pie:0` as the namespace around it. */
  readonly xml: string
  /** `users.xml:12`. */
  readonly place: string
}

const NS_XINCLUDE = 'http://www.w3.org/2001/XInclude'
const NS_XMLNS = 'http://www.w3.org/2000/xmlns/'
const NS_XML = 'http://www.w3.org/XML/1998/namespace'
/** Levels of files in files. */
const INCLUDES_MAX = 8
const DEPTH_MAX = 500
/** Text and tags of one user; more is no account. */
const USER_UNITS_MAX = 32 * 1024 * 1024

/** What a file stands for: its root element is the level's. */
type Level = 'server-data' | 'host' | 'user' | 'data'
type Found = PieUser | { readonly include: string; readonly host: string | undefined }

/** Every user in the file and those it includes; `warn` is told what is left out. Throws `bad-import`, `file-unreadable`. */
export async function* readPie(file: string, warn: (text: string) => void): AsyncGenerator<PieUser> {
  yield* readFile(file, 'server-data', undefined, dirname(resolve(file)), warn, 0)
}

async function* readFile(
  file: string, level: Level, host: string | undefined, root: string, warn: (text: string) => void, depth: number,
): AsyncGenerator<PieUser> {
  if (depth > INCLUDES_MAX) throw new RollcallError('bad-import', `${file}: more than ${INCLUDES_MAX} files in each other`)
  const found: Found[] = []
  const document = new PieDocument(file, level, host, root, warn, found)
  try {
    for await (const chunk of createReadStream(file, { encoding: 'utf8' }) as AsyncIterable<string>) {
      const failure = failureOf(() => document.write(chunk))
      // What stood before a mistake is good.
      yield* drain(found, root, warn, depth)
      if (failure !== undefined) throw failure
    }
  } catch (error) {
    throw readFailure(error, file)
  }
  document.close()
}

function failureOf(work: () => void): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

async function* drain(found: Found[], root: string, warn: (text: string) => void, depth: number): AsyncGenerator<PieUser> {
  for (const item of found.splice(0)) {
    if ('include' in item) yield* readFile(item.include, item.host === undefined ? 'host' : 'user', item.host, root, warn, depth + 1)
    else yield item
  }
}

function readFailure(error: unknown, file: string): RollcallError {
  if (error instanceof RollcallError) return error
  return new RollcallError('file-unreadable', `${file}: ${(error as Error).message}`, { cause: error })
}

/** One file, as a stack of open elements; `found` gets its users in order. */
class PieDocument {
  readonly #parser = new SaxesParser({ xmlns: true, position: true })
  readonly #file: string
  readonly #root: string
  readonly #warn: (text: string) => void
  readonly #found: Found[]
  /** Levels still to be opened above users: what the next start tag is. */
  readonly #levels: Level[] = []
  #next: Level
  #host: string | undefined
  /** Open elements from the user (or the root of included data) down. */
  readonly #open: XmlElement[] = []
  #ignored = 0
  #units = 0
  #userLine = 0
  /** The root of a file of data. */
  data: XmlElement | undefined

  constructor(file: string, level: Level, host: string | undefined, root: string, warn: (text: string) => void, found: Found[]) {
    this.#file = file
    this.#next = level
    this.#host = host
    this.#root = root
    this.#warn = warn
    this.#found = found
    this.#parser.on('opentag', (tag) => this.#openTag(tag))
    this.#parser.on('closetag', () => this.#closeTag())
    this.#parser.on('text', (text) => this.#text(text))
    this.#parser.on('cdata', (text) => this.#text(text))
    this.#parser.on('error', (error) => {
      throw new RollcallError('bad-import', `${this.#place()}: not well-formed: ${error.message.replace(/^\S*\d+:\d+: /, '')}`)
    })
  }

  write(chunk: string): void {
    this.#parser.write(chunk)
  }

  close(): void {
    this.#parser.close()
  }

  #place(line = this.#parser.line): string {
    return `${this.#file}:${line}`
  }

  #fail(message: string): never {
    throw new RollcallError('bad-import', `${this.#place()}: ${message}`)
  }

  #count(units: number): void {
    this.#units += units
    if (this.#units > USER_UNITS_MAX) this.#fail(`a user with more than ${USER_UNITS_MAX} characters`)
  }

  #openTag(tag: SaxesTagNS): void {
    if (this.#ignored > 0) {
      this.#ignored++
      return
    }
    if (this.#open.length > 0) return this.#openInside(tag)
    const isInclude = tag.uri === NS_XINCLUDE && tag.local === 'include'
    if (isInclude) {
      const include = this.#included(tag)
      if (include !== undefined && this.#levels.length > 0) this.#found.push({ include, host: this.#next === 'user' ? this.#host : undefined })
      this.#ignored++
      return
    }
    if (this.#next === 'data') return this.#push(elementOf(tag))
    if (tag.uri !== NS_PIE || tag.local !== this.#next) {
      if (this.#levels.length === 0) this.#fail(`must begin with <${this.#next} xmlns='${NS_PIE}'>, not <${tag.name}>`)
      this.#warn(`${this.#place()}: <${tag.name}> is not supported here: left out`)
      this.#ignored++
      return
    }
    this.#enter(tag)
  }

  #enter(tag: SaxesTagNS): void {
    if (this.#next === 'user') {
      this.#units = 0
      this.#userLine = this.#parser.line
      return this.#push(elementOf(tag))
    }
    if (this.#next === 'host') this.#host = tag.attributes['jid']?.value ?? this.#fail('a <host/> without jid')
    this.#levels.push(this.#next)
    this.#next = this.#next === 'server-data' ? 'host' : 'user'
  }

  #openInside(tag: SaxesTagNS): void {
    const isInclude = this.#open.length === 1 && tag.uri === NS_XINCLUDE && tag.local === 'include'
    if (!isInclude) return this.#push(elementOf(tag))
    const file = this.#included(tag)
    if (file !== undefined) {
      const data = readData(file, this.#root, this.#warn)
      if (data !== undefined) (this.#open[0] as XmlElement).append(data)
    }
    this.#ignored++
  }

  #push(element: XmlElement): void {
    if (this.#open.length >= DEPTH_MAX) this.#fail(`more than ${DEPTH_MAX} elements in each other`)
    this.#count(element.name.length)
    for (const [key, value] of element.attributes) this.#count(key.length + value.length)
    this.#open.at(-1)?.append(element)
    this.#open.push(element)
  }

  #closeTag(): void {
    if (this.#ignored > 0) {
      this.#ignored--
      return
    }
    const closed = this.#open.pop()
    if (closed === undefined) {
      this.#next = this.#levels.pop() ?? this.#next
      return
    }
    if (this.#open.length > 0) return
    if (this.#next === 'data') this.data = closed
    else this.#found.push({ host: this.#host ?? '', xml: fromWire(serialize(withoutLayout(closed), NS_PIE)), place: this.#place(this.#userLine) })
  }

  #text(text: string): void {
    const parent = this.#open.at(-1)
    if (this.#ignored > 0 || parent === undefined) return
    this.#count(text.length)
    parent.append(text)
  }

  /** The file that an include names; undefined (and a warning) when it is of a kind that need not be supported. */
  #included({ attributes }: SaxesTagNS): string | undefined {
    const href = attributes['href']?.value
    if (href === undefined || attributes['parse'] !== undefined || attributes['xpointer'] !== undefined || /^[a-z][a-z0-9+.-]*:/i.test(href)) {
      this.#warn(`${this.#place()}: only includes with a relative href, without parse and xpointer, are supported: left out`)
      return undefined
    }
    const file = resolve(dirname(this.#file), decodeURIComponent(href))
    const inRoot = relative(this.#root, file)
    if (inRoot.startsWith('..') || isAbsolute(inRoot)) this.#fail(`includes ${href}, which is outside the folder of the import`)
    return file
  }
}

function readData(file: string, root: string, warn: (text: string) => void): XmlElement | undefined {
  try {
    if (statSync(file).size > USER_UNITS_MAX) throw new RollcallError('bad-import', `${file}: larger than ${USER_UNITS_MAX} bytes`)
    const document = new PieDocument(file, 'data', undefined, root, warn, [])
    document.write(readFileSync(file, 'utf8'))
    document.close()
    return document.data
  } catch (error) {
    throw readFailure(error, file)
  }
}

/** White space between the children of a user is layout of the file, not data. */
function withoutLayout(user: XmlElement): XmlElement {
  return new XmlElement(user.name, user.ns, user.attributes, user.elements())
}

function elementOf({ local, uri, attributes }: SaxesTagNS): XmlElement {
  const own = Object.values<SaxesAttributeNS>(attributes).filter((attribute) => attribute.uri !== NS_XMLNS)
  return new XmlElement(local, uri, new Map(own.map(({ uri, local, value }) => [attributeKey(uri, local), value])))
}

function attributeKey(uri: string, local: string): string {
  if (uri === '') return local
  return uri === NS_XML ? `xml:${local}` : `{${uri}}${local}`
}
