// Shows what the server tells while no page is open. It gets counts, and sender and text only where the operator allows
// them (modules.push.content); nothing is kept and nothing is asked for.

self.addEventListener('install', () => void self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('push', (event) => {
  event.waitUntil(show(read(event.data)))
})

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(openPage())
})

function read(data) {
  try {
    return data?.json() ?? {}
  } catch {
    return {}
  }
}

/** Every push must show something, or browsers take the permission away. */
function show({ account = '', messages = 0, requests = 0, sender, text }) {
  const parts = [plural(messages, 'new message', 'new messages'), plural(requests, 'contact request', 'contact requests')]
  const counts = parts.filter((part) => part !== '').join(', ') || 'Something new'
  const title = sender === undefined ? counts : `${sender.split('/')[0]}: ${counts}`
  // One notification per account: the next replaces it.
  return self.registration.showNotification(title, { body: text ?? account, tag: `rollcall:${account}`, renotify: true })
}

function plural(count, one, many) {
  return count === 0 ? '' : `${count} ${count === 1 ? one : many}`
}

async function openPage() {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const page = pages.find(({ url }) => url.startsWith(self.registration.scope))
  return page === undefined ? self.clients.openWindow(self.registration.scope) : page.focus()
}
