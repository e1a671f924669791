/** XEP-0092 as wire scripts. */
import { describe, test } from 'node:test'
import { TestHost } from '../../server/testing/test-host.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import version from './module.ts'

const ask = (to: string) => `<iq type='get' id='v1'${to}><query xmlns='jabber:iq:version'/></iq>`
const answer = (os: string) => `<iq type='result' id='v1' from='capulet.example' to='juliet@capulet.example/balcony'>
  <query xmlns='jabber:iq:version'><name>Rollcall</name><version>0.0.0-test</version>${os}</query></iq>`

async function connected(options: Readonly<Record<string, unknown>>) {
  const host = await TestHost.start({ accounts: ['juliet'], modules: [version], options: { version: options } })
  return { host, juliet: await host.connect('juliet', 'balcony') }
}

describe('XEP-0092 §2', () => {
  test('a host tells name and version, and §5 not its operating system', async () => {
    const { host, juliet } = await connected({})
    await answers(juliet, ask(" to='capulet.example'"), answer(''))
    await host.stop()
  })
  test('§5: the operating system when the configuration says so', async () => {
    const { host, juliet } = await connected({ showOs: true, os: 'Debian 13' })
    await answers(juliet, ask(" to='capulet.example'"), answer('<os>Debian 13</os>'))
    await host.stop()
  })
  test('an account has no version', async () => {
    const { host, juliet } = await connected({})
    await refuses(juliet, ask(''), 'service-unavailable', 'cancel')
    await host.stop()
  })
})
