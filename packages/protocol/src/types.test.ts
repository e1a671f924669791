// Type tests: a wrong inference fails the type check. The one test at the end only keeps the file honest at run time.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Jid } from '@rollcall/jid'
import type { XmlElement } from '@rollcall/xml'
import { attr, child, children, childText, childTexts, element, extensions, flag, form, formField, text } from './index.ts'
import type { Codec, Infer, Input, LastQuery, SaslFailure, StanzaErrorElementInput } from './index.ts'

/** True only for types that are the same, optionality and readonly included. */
// The compiler calls the two functions assignable only when A and B are identical; an alias for one would lose that.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles only when the two types are the same; answers true. */
function expectSame<A, B>(same: Same<A, B>): boolean {
  return same
}

const Inner = element('urn:example:play', 'inner', { text: text(), isNight: flag('night') })

const Outer = element('urn:example:play', 'outer', {
  id: attr.string('id'),
  count: attr.uint('count').optional(),
  mood: attr.enum('mood', ['tragic', 'comic']).default('tragic'),
  owner: attr.jid('owner').optional(),
  inner: child(Inner).optional(),
  inners: children(Inner),
  title: childText('title'),
  tags: childTexts('tag'),
  rest: extensions(),
})

interface InnerValue {
  readonly text: string
  readonly isNight: boolean
}

interface OuterValue {
  readonly id: string
  readonly count?: number
  readonly mood: 'tragic' | 'comic'
  readonly owner?: Jid
  readonly inner?: InnerValue
  readonly inners: readonly InnerValue[]
  readonly title: string
  readonly tags: readonly string[]
  readonly rest: readonly XmlElement[]
}

interface InnerInput {
  readonly text: string
  readonly isNight?: boolean
}

interface OuterInput {
  readonly id: string
  readonly count?: number
  readonly mood?: 'tragic' | 'comic'
  readonly owner?: Jid
  readonly inner?: InnerInput
  readonly inners?: readonly InnerInput[]
  readonly title: string
  readonly tags?: readonly string[]
  readonly rest?: readonly XmlElement[]
}

const Form = form({ type: 'submit' }, 'urn:example:feast', {
  host: formField.jid('host'),
  hour: formField.list('hour', { dusk: 'At dusk', dawn: 'At dawn' }).optional(),
  isMasked: formField.bool('masked'),
})

interface FormValue {
  readonly host: Jid
  readonly hour?: 'dusk' | 'dawn'
  readonly isMasked: boolean
}

/** Interfaces and inferred objects are compared member by member. */
type Flat<T> = { [K in keyof T]: T[K] extends InnerValue | undefined ? InnerOf<T[K]> : T[K] }
type InnerOf<T> = T extends object ? { [K in keyof T]: T[K] } : T
type Element<T> = NonNullable<T> extends readonly (infer E)[] ? E : never

const checks = [
  expectSame<Infer<typeof Inner>, Flat<InnerValue>>(true),
  expectSame<Input<typeof Inner>, Flat<InnerInput>>(true),
  expectSame<Omit<Infer<typeof Outer>, 'inners' | 'inner'>, Omit<OuterValue, 'inners' | 'inner'>>(true),
  expectSame<Omit<Input<typeof Outer>, 'inners' | 'inner'>, Omit<OuterInput, 'inners' | 'inner'>>(true),
  expectSame<Element<Infer<typeof Outer>['inners']>, Flat<InnerValue>>(true),
  expectSame<Element<Input<typeof Outer>['inners']>, Flat<InnerInput>>(true),
  expectSame<Infer<typeof Outer>['inner'], Flat<InnerValue> | undefined>(true),
  expectSame<LastQuery, Flat<{ readonly seconds?: number, readonly status?: string }>>(true),
  expectSame<Infer<typeof Form>, Flat<FormValue>>(true),
  expectSame<keyof Parameters<typeof Form.write>[0], keyof FormValue>(true),
  expectSame<SaslFailure['text'], string | undefined>(true),
  // Negative controls: optionality and readonly count.
  expectSame<Same<{ readonly a?: string }, { readonly a: string | undefined }>, false>(true),
  expectSame<Same<{ readonly a: string }, { a: string }>, false>(true),
]

// Whatever decodes to a value is a codec of it, and encodes it.
const codec: Codec<OuterValue> = Outer
const errorInput: StanzaErrorElementInput = { condition: 'forbidden' }

const refusals = [
  // @ts-expect-error a required attribute may not be left out
  () => Outer.encode({ title: 'Act I' }),
  // @ts-expect-error a word outside the enumeration
  () => Outer.encode({ id: '1', title: 'Act I', mood: 'grey' }),
  // @ts-expect-error a property that is not declared
  () => Inner.encode({ text: '', isDay: true }),
  // @ts-expect-error a choice that is not offered
  () => Form.write({ host: codec.decode(Outer.encode({ id: '1', title: '' })).owner!, hour: 'noon' }),
]

it('every type assertion of this file was compiled', () => {
  assert.deepEqual(new Set(checks), new Set([true]))
  assert.equal(codec.name, 'outer')
  assert.equal(refusals.length, 4)
  assert.equal(errorInput.condition, 'forbidden')
})
