import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { compilerFlags, tuneCompiler } from './compiler.ts'

test('the pinned Node knows every flag of the compiler, so that none is refused when a server starts', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  for (const flag of compilerFlags) {
    const [name = ''] = flag.split('=')
    assert.match(known, new RegExp(`^\\s*${name} \\(`, 'm'))
  }
})

test('flags take effect in a process that runs already: a function is compiled before V8 would by itself', () => {
  const program = `
    import { setFlagsFromString } from 'node:v8'
    import { tuneCompiler } from ${JSON.stringify(new URL('compiler.ts', import.meta.url).href)}
    setFlagsFromString('--allow-natives-syntax')
    if (process.argv[1] === 'tuned') tuneCompiler()
    const status = new Function('f', 'return %GetOptimizationStatus(f)')
    // Which bit says what differs between versions of V8; that of one that was compiled because we asked for it says so.
    const asked = new Function('a', 'return a + 1')
    new Function('f', '%PrepareFunctionForOptimization(f); f(1); %OptimizeMaglevOnNextCall(f); f(2)')(asked)
    const compiled = status(asked)
    const f = new Function('a', 'b', 'let sum = 0; if (a > b) sum += a; else sum += b; return sum + a * b')
    if (status(f) === compiled) throw new Error('not compiled by what it was asked to be')
    for (let call = 0; call < 150; call++) f(call, 7)
    // The compiler works beside us.
    let calls = 150
    for (; status(f) !== compiled && calls < 350; calls++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      f(calls, 7)
    }
    console.log(calls < 350)`
  const isCompiled = (how: string) => execFileSync(process.execPath, ['--input-type=module', '-e', program, how], { encoding: 'utf8' }).trim()
  assert.deepEqual([isCompiled('tuned'), isCompiled('default')], ['true', 'false'])
})

test('to tune twice is no harm', () => {
  tuneCompiler()
  tuneCompiler()
})
