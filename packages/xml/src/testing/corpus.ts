/**
 * Stanzas as clients send them, generated from a seed: the raw material of the fuzzers and of the micro benchmark. The mix
 * (chat, presence, disco, roster, archive results, long base64) and its mean size of some 300 bytes follow a busy server.
 */

/** A stream header as clients open it. */
export const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'" +
  " to='capulet.example' version='1.0' xml:lang='en'>"

/** The close tag of that header. */
export const FOOTER = '</stream:stream>'

/** Random numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const PEOPLE = ['juliet', 'romeo', 'nurse', 'mercutio', 'benvolio', 'tybalt', 'paris', 'jos\u00e9']
const PLACES = ['balcony', 'orchard', 'chamber', 'conversations.Xk3f', 'gajim.8JQ2VR7A']
const LINES = [
  'Wherefore art thou, Romeo?',
  'ok',
  'Art thou not Romeo, and a Montague? Neither, fair saint, if either thee dislike.',
  'If I profane with my unworthiest hand &lt;this&gt; holy shrine &amp; the gentle fine is this',
  'Gr\u00fc\u00dfe aus Verona \ud83d\ude00\ufe0f \u2014 wie geht\u2019s?',
  '\u65e5\u672c\u8a9e\u306e\u30e1\u30c3\u30bb\u30fc\u30b8\uff01',
  "O, swear not by the moon, th'inconstant moon,\nThat monthly changes in her circled orb",
  'A <![CDATA[<plague>]]> o&apos; both your houses &#x2764; ]] &#33;',
]
const FEATURES = [
  'http://jabber.org/protocol/disco#info', 'http://jabber.org/protocol/caps', 'urn:xmpp:carbons:2', 'urn:xmpp:mam:2',
  'urn:xmpp:receipts', 'http://jabber.org/protocol/chatstates', 'jabber:iq:version', 'urn:xmpp:jingle:1', 'vcard-temp',
]

/** Makes stanzas one after the other; the same seed makes the same ones. */
export class Corpus {
  private readonly random: () => number

  constructor(seed: number) {
    this.random = randomFrom(seed)
  }

  /** The next stanza, as text. */
  next(): string {
    const kind = this.random()
    if (kind < 0.35) return this.message()
    if (kind < 0.62) return this.presence()
    if (kind < 0.72) return this.query()
    if (kind < 0.8) return this.disco()
    if (kind < 0.87) return this.roster()
    if (kind < 0.95) return this.archived()
    if (kind < 0.99) return "<a xmlns='urn:xmpp:sm:3' h='42'/>"
    return this.avatar()
  }

  private pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T
  }

  private id(): string {
    return Math.floor(this.random() * 2 ** 32).toString(36)
  }

  private bare(): string {
    return `${this.pick(PEOPLE)}@${this.pick(['capulet', 'montague'])}.example`
  }

  private full(): string {
    return `${this.bare()}/${this.pick(PLACES)}`
  }

  private message(): string {
    const quote = this.pick(["'", "'", '"'])
    const parts = ["<message to='", this.full(), "' type='chat' id='", this.id(), "' xml:lang='en'>"].join('').replaceAll("'", quote)
    const state = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    const extra = this.random() < 0.5 ? `<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='${this.id()}'/>` : ''
    return `${parts}<body>${this.pick(LINES)}</body>${state}${extra}</message>`
  }

  private presence(): string {
    const caps =
      `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://gajim.org' ver='${this.id()}${this.id()}='/>` +
      `<x xmlns="vcard-temp:x:update"><photo>${this.id()}${this.id()}</photo></x>`
    if (this.random() < 0.2) return '<presence/>'
    const to = this.random() < 0.3 ? ` to='${this.bare()}'` : ''
    return `<presence${to}><show>${this.pick(['away', 'dnd', 'xa'])}</show><status>${this.pick(LINES)}</status><priority>5</priority>${caps}</presence>`
  }

  private query(): string {
    const payload = this.pick([
      "<ping xmlns='urn:xmpp:ping'/>",
      "<query xmlns='jabber:iq:roster'/>",
      "<vCard xmlns='vcard-temp'/>",
      "<query xmlns='http://jabber.org/protocol/disco#items' node='a&amp;b'/>",
    ])
    return `<iq type='get' id='${this.id()}' to='${this.bare()}'>${payload}</iq>`
  }

  private disco(): string {
    let features = ''
    for (const feature of FEATURES) if (this.random() < 0.8) features += `<feature var='${feature}'/>`
    return (
      `<iq type='result' id='${this.id()}' to='${this.full()}'><query xmlns='http://jabber.org/protocol/disco#info'>` +
      `<identity category='client' type='pc' name='Gajim &lt;3' xml:lang="en"/>${features}</query></iq>`
    )
  }

  private roster(): string {
    let items = ''
    for (let left = Math.floor(this.random() * 8); left > 0; left--) {
      items += `\n  <item jid='${this.bare()}' name='${this.pick(PEOPLE)}' subscription='both'><group>Friends</group></item>`
    }
    return `<iq type='set' id='${this.id()}'><query xmlns='jabber:iq:roster' ver='${this.id()}'>${items}\n</query></iq>`
  }

  private archived(): string {
    return (
      `<message to='${this.full()}' from='${this.bare()}'><result xmlns='urn:xmpp:mam:2' queryid='${this.id()}' id='${this.id()}'>` +
      `<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>` +
      `<message xmlns='jabber:client' to='${this.bare()}' from='${this.full()}' type='chat'><body>${this.pick(LINES)}</body></message>` +
      '</forwarded></result></message>'
    )
  }

  private avatar(): string {
    let data = ''
    while (data.length < 4000) data += `${this.id()}+/`
    return (
      `<iq type='set' id='${this.id()}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:data'>` +
      `<item id='${this.id()}'><data xmlns='urn:xmpp:avatar:data'>${data}</data></item></publish></pubsub></iq>`
    )
  }
}

/** Bytes and tokens that parsers trip over. */
const TOKENS = [
  '<', '>', '&', "'", '"', '/', '=', ':', ' ', '\t', '\r\n', '\r', '\0', '\x1f', '!', '?', ']', ']]>', '<![CDATA[', '<!--', '-->', '<?a?>',
  '<?xml version="1.0"?>', '&amp;', '&#0;', '&#x10FFFF;', '&#xfffe;', '&#1114112;', '&nbsp;', '&a', 'xmlns', 'xmlns:', 'xml:', " xmlns=''",
  " xmlns:a='urn:a'", " a:b='1'", " b='2'", " xmlns:xml='urn:a'", " xmlns:q='http://www.w3.org/XML/1998/namespace'", " xmlns:xmlns='u'",
  " xml:lang='de'", " xmlns:a=''", '<a:b/>', '<b>', '</b>', '<a/>', '<\u00e9/>', '<\u00d7/>', '\u00b7', '\ufffe', '\uffff', '\ufffd', '\ud83d\ude00',
  '<xmlns:a/>', '<xml:a/>', " stream:a='1'", "<stream:a b=''/>", '</stream:stream>', '<!DOCTYPE a>', '<!ENTITY', ' to="a', '\x7f', '\u0085', '\u2028',
]

/** Bytes that are not UTF-8, or only half of it. */
const BROKEN = [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80], [0xef, 0xbf, 0xbe], [0x80]]

/** A copy of `bytes` with one to three random edits. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const encoder = new TextEncoder()
  let edited: number[] = [...bytes]
  for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
    const at = Math.floor(random() * edited.length)
    const length = Math.floor(random() * random() * 12)
    const kind = random()
    let insert: readonly number[]
    if (kind < 0.5) insert = [...encoder.encode(TOKENS[Math.floor(random() * TOKENS.length)])]
    else if (kind < 0.6) insert = BROKEN[Math.floor(random() * BROKEN.length)] as readonly number[]
    else if (kind < 0.75) insert = [Math.floor(random() * 256)]
    else if (kind < 0.9) insert = edited.slice(at, at + Math.floor(random() * 40))
    else insert = []
    const removed = kind < 0.75 && random() < 0.5 ? 0 : length
    edited = [...edited.slice(0, at), ...insert, ...edited.slice(at + removed)]
  }
  return Uint8Array.from(edited)
}
