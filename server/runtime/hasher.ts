/** The digests of Node's OpenSSL behind the `Hasher` port. */
import { hash } from 'node:crypto'
import type { Hasher, HashName } from '@rollcall/ports'

const nodeNames: Readonly<Record<HashName, string>> = {
  'sha-1': 'sha1', 'sha-256': 'sha256', 'sha-512': 'sha512', 'sha3-256': 'sha3-256', 'sha3-512': 'sha3-512',
}

export const nodeHasher: Hasher = {
  hash: (name, data) => hash(nodeNames[name], data, 'buffer'),
}
