/** The hosts' own capabilities: hashes of what service discovery tells about them, computed once a minute at most. */
import type { Clock, Hasher, HashName } from '@rollcall/ports'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { Caps, Caps2 } from '@rollcall/protocol'
import type { DiscoInfo } from '@rollcall/protocol'
import type { Disco, DiscoNode } from '../disco/port.ts'
import { base64, CAPS_2_NODE } from './advertised.ts'
import { caps2Input, capsInput } from './hash-input.ts'

/** XEP-0390 §4.2 with XEP-0300 §4: the functions that everybody has. */
const caps2Hashes: readonly HashName[] = ['sha-256', 'sha3-256']
/** Forms may be made anew for each question; a minute-old hash is only a question more for the peer. */
const MAX_AGE_MS = 60_000
/** XEP-0390 §6.1: the nodes of this many hash sets stay known, so that whoever saw an older one gets its answer. */
const SNAPSHOTS_MAX = 3

interface HostSnapshot {
  readonly info: DiscoInfo
  /** When it was last found to be so, in monotonic ms. */
  madeAt: number
  /** Nodes that stand for this information: its hashes. */
  readonly nodes: readonly string[]
  /** Wire string of the stream features. */
  readonly feature: string
}

export class HostCaps {
  readonly #disco: Disco
  readonly #clock: Clock
  readonly #hasher: Hasher
  /** URI of the software (XEP-0115 §4). */
  readonly #softwareUri: string
  /** By host, the present one first. */
  readonly #snapshots = new Map<string, HostSnapshot[]>()

  constructor(ports: { readonly disco: Disco; readonly clock: Clock; readonly hasher: Hasher }, softwareUri: string) {
    this.#disco = ports.disco
    this.#clock = ports.clock
    this.#hasher = ports.hasher
    this.#softwareUri = softwareUri
  }

  /** The stream feature of a host (XEP-0115 §6.3, XEP-0390 §5.2). */
  streamFeature(host: string): string {
    return this.#snapshot(jidOf('', host)).feature
  }

  /** The disco node of a hash that the host has shown. */
  findNode(node: string, host: Jid): DiscoNode | undefined {
    if (!node.startsWith(`${this.#softwareUri}#`) && !node.startsWith(CAPS_2_NODE)) return undefined
    this.#snapshot(host)
    const found = this.#snapshots.get(host.domainpart)?.find(({ nodes }) => nodes.includes(node))
    return found === undefined ? undefined : { info: () => found.info, items: () => [] }
  }

  #snapshot(host: Jid): HostSnapshot {
    const known = this.#snapshots.get(host.domainpart) ?? []
    const [present] = known
    const now = this.#clock.monotonic()
    if (present !== undefined && now - present.madeAt < MAX_AGE_MS) return present
    const made = this.#make(this.#disco.hostInfo(host), now)
    if (present !== undefined && present.feature === made.feature) {
      present.madeAt = now
      return present
    }
    this.#snapshots.set(host.domainpart, [made, ...known].slice(0, SNAPSHOTS_MAX))
    return made
  }

  #make(info: DiscoInfo, madeAt: number): HostSnapshot {
    const nodes: string[] = []
    let feature = ''
    const input = capsInput(info)
    if (input !== undefined) {
      const ver = base64(this.#hasher.hash('sha-1', input))
      nodes.push(`${this.#softwareUri}#${ver}`)
      feature += Caps.toWire({ hash: 'sha-1', node: this.#softwareUri, ver })
    }
    const input2 = caps2Input(info)
    if (input2 !== undefined) {
      const hashes = caps2Hashes.map((algo) => ({ algo, hash: this.#hasher.hash(algo, input2) }))
      nodes.push(...hashes.map(({ algo, hash }) => `${CAPS_2_NODE}${algo}.${base64(hash)}`))
      feature += Caps2.toWire({ hashes })
    }
    return { info, madeAt, nodes, feature }
  }
}
