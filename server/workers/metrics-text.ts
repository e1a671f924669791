/** Metrics of several members as one text of the Prometheus format: every sample with the label `member`. */

/** `texts`: what each member exports by itself. Help and type of a metric stand once, before all its samples. */
export function mergeMetrics(texts: ReadonlyMap<string, string>): string {
  const heads = new Map<string, string[]>()
  const samples = new Map<string, string[]>()
  for (const [member, text] of texts) {
    let name = ''
    for (const line of text.split('\n')) {
      if (line === '') continue
      if (line.startsWith('#')) {
        name = line.split(' ', 3)[2] ?? ''
        const head = heads.get(name)
        if (head === undefined) heads.set(name, [line])
        else if (!head.includes(line) && head.length < 2) head.push(line)
        continue
      }
      const list = samples.get(name)
      const labelled = withLabel(line, member)
      if (list === undefined) samples.set(name, [labelled])
      else list.push(labelled)
    }
  }
  const blocks = [...heads].map(([name, head]) => [...head, ...samples.get(name) ?? []].join('\n'))
  return `${blocks.join('\n')}\n`
}

function withLabel(line: string, member: string): string {
  const brace = line.indexOf('{')
  const space = line.indexOf(' ')
  const label = `member="${member}"`
  // A space may stand in a label's value, but then a brace comes first.
  if (brace >= 0 && brace < space) return `${line.slice(0, brace + 1)}${label},${line.slice(brace + 1)}`
  return `${line.slice(0, space)}{${label}}${line.slice(space)}`
}
