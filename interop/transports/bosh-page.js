// In the page: strophe.js over BOSH, with what arrives kept for the test. Loaded after strophe.umd.min.js.

const { $iq, $msg, $pres, Strophe } = globalThis.strophe ?? globalThis

globalThis.bosh = {
  received: [],

  /** Resolves with the bound address; rejects with the status that Strophe ends in. */
  connect(url, address, password) {
    const connection = new Strophe.Connection(url)
    globalThis.bosh.connection = connection
    return new Promise((resolve, reject) => {
      connection.connect(address, password, (status) => {
        if (status === Strophe.Status.CONNECTED) {
          connection.addHandler((stanza) => {
            globalThis.bosh.received.push(stanza.outerHTML)
            return true
          })
          connection.send($pres())
          resolve(connection.jid)
        } else if ([Strophe.Status.AUTHFAIL, Strophe.Status.CONNFAIL, Strophe.Status.CONNTIMEOUT, Strophe.Status.DISCONNECTED].includes(status)) {
          reject(new Error(`status ${status}`))
        }
      })
    })
  },

  say(to, text) {
    globalThis.bosh.connection.send($msg({ to, type: 'chat' }).c('body').t(text))
  },

  /** Resolves with the addresses in the roster. */
  roster() {
    return new Promise((resolve, reject) => {
      const request = $iq({ type: 'get' }).c('query', { xmlns: 'jabber:iq:roster' })
      const addresses = (answer) => [...answer.querySelectorAll('item')].map((item) => item.getAttribute('jid'))
      globalThis.bosh.connection.sendIQ(request, (answer) => resolve(addresses(answer)), () => reject(new Error('no roster')), 10_000)
    })
  },

  leave() {
    globalThis.bosh.connection.disconnect('bye')
  },
}
