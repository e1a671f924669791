/** XEP-0202 as a wire script. */
import { test } from 'node:test'
import { TestHost } from '../../server/testing/test-host.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import time from './module.ts'

test('XEP-0202 §2: a host tells its time and its offset from UTC', async () => {
  const host = await TestHost.start({ accounts: ['juliet'], modules: [time] })
  const juliet = await host.connect('juliet', 'balcony')
  await host.advance(61_000)
  await answers(juliet, "<iq type='get' id='t1' to='capulet.example'><time xmlns='urn:xmpp:time'/></iq>",
    `<iq type='result' id='t1' from='capulet.example' to='juliet@capulet.example/balcony'>
      <time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2024-01-01T00:01:01Z</utc></time></iq>`)
  await refuses(juliet, "<iq type='get' id='t2'><time xmlns='urn:xmpp:time'/></iq>", 'service-unavailable', 'cancel')
  await host.stop()
})
