/** Where a new password comes from: the terminal (twice, unseen), standard input, or - warned about - the command line. */
import { RollcallError } from '../config/index.ts'
import type { Terminal } from '../runtime/terminal.ts'

export interface PasswordOptions {
  readonly passwordStdin?: boolean
}

const PASSWORD_BYTES_MAX = 4096

/** The password for `account`; rejects with `no-password`, `passwords-differ`, `usage`. */
export async function newPassword(
  terminal: Terminal, account: string, argument: string | undefined, { passwordStdin }: PasswordOptions,
): Promise<string> {
  const isTwice = argument !== undefined && passwordStdin === true
  if (isTwice) throw new RollcallError('usage', 'the password is given twice: as an argument and with --password-stdin')
  if (passwordStdin === true) return terminal.readLine(PASSWORD_BYTES_MAX)
  if (argument !== undefined) {
    terminal.err('warning: other users of this machine can see passwords on the command line; scripts can use --password-stdin\n')
    return argument
  }
  if (!terminal.isInteractive) throw new RollcallError('no-password', 'there is no terminal to ask for a password on: use --password-stdin')
  const first = await terminal.askSecret(`New password of ${account}: `)
  const second = first === undefined ? undefined : await terminal.askSecret('Again: ')
  if (first === undefined || second === undefined) throw new RollcallError('no-password', 'no password was typed: nothing is changed')
  if (first !== second) throw new RollcallError('passwords-differ', 'the two passwords differ: nothing is changed')
  return first
}
