/**
 * Accounts for the idle-memory scenario: N users with B mutual contacts each, as lines for `rollcall account import`.
 * A circulant graph: user i knows i ± 1 … i ± B/2, so everybody has exactly B contacts.
 *
 *     node bench/side-by-side/accounts.ts 10000 20 e > accounts.tsv
 */
const [count, contacts, prefix] = [Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 20), process.argv[4] ?? 'e']
if (!(count > contacts && contacts % 2 === 0)) throw new RangeError('usage: accounts.ts USERS CONTACTS PREFIX: contacts even and fewer than users')

for (let i = 0; i < count; i++) {
  const names: string[] = []
  for (let k = 1; k <= contacts / 2; k++) names.push(`${prefix}${(i + k) % count}`, `${prefix}${(i - k + count) % count}`)
  process.stdout.write(`${prefix}${i}\tpw\t${names.join(',')}\n`)
}
