/** XEP-0334: Message Processing Hints, version 1.0.0. */
import { element } from './codec.ts'

export const NS_HINTS = 'urn:xmpp:hints'

/** The message goes into no permanent store, such as an archive. */
export const NoPermanentStore = element(NS_HINTS, 'no-permanent-store', {})

/** The message goes into no store at all, offline messages included. */
export const NoStore = element(NS_HINTS, 'no-store', {})

/** The message goes to the addressed resource only, without copies. */
export const NoCopy = element(NS_HINTS, 'no-copy', {})

/** The message is to be stored although it would not be by its content. */
export const Store = element(NS_HINTS, 'store', {})
