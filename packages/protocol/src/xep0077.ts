/** XEP-0077: In-Band Registration, version 2.4. */
import { child, childText, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { DataForm } from './xep0004.ts'

export const NS_REGISTER = 'jabber:iq:register'
export const NS_REGISTER_FEATURE = 'http://jabber.org/features/iq-register'

/** The fields of XEP-0077 §14.1. In a result an empty one asks for a value, in a set they carry it. */
export const RegisterQuery = element(NS_REGISTER, 'query', {
  /** The requester has an account already (§3.1). */
  registered: flag('registered'),
  instructions: childText('instructions').optional(),
  username: childText('username').optional(),
  nick: childText('nick').optional(),
  password: childText('password').optional(),
  name: childText('name').optional(),
  first: childText('first').optional(),
  last: childText('last').optional(),
  email: childText('email').optional(),
  address: childText('address').optional(),
  city: childText('city').optional(),
  state: childText('state').optional(),
  zip: childText('zip').optional(),
  phone: childText('phone').optional(),
  url: childText('url').optional(),
  date: childText('date').optional(),
  misc: childText('misc').optional(),
  text: childText('text').optional(),
  key: childText('key').optional(),
  /** Deletes the account; must stand alone (§3.2). */
  remove: flag('remove'),
  form: child(DataForm).optional(),
})
export type RegisterQuery = Infer<typeof RegisterQuery>
export type RegisterQueryInput = Input<typeof RegisterQuery>

/** Stream feature: accounts can be made before authentication (XEP-0077 §8). */
export const RegisterFeature = element(NS_REGISTER_FEATURE, 'register', {})
export type RegisterFeature = Infer<typeof RegisterFeature>
