/**
 * Every error that the configuration, the command line and the admin listener can answer with: one table.
 *
 * Codes are stable: scripts may compare them, so a code is never renamed and never given another meaning. The table is
 * also where docs/reference/errors.md is made from.
 */

/** Exit statuses of the `rollcall` command. */
export const EXIT_OK = 0
/** What was asked for failed. */
export const EXIT_FAILURE = 1
/** The command line or the config file was wrong; nothing was done. */
export const EXIT_USAGE = 2

export interface ErrorFacts {
  /** HTTP status of the admin listener and of the control socket. */
  readonly status: number
  /** Exit status of the command. */
  readonly exit: typeof EXIT_FAILURE | typeof EXIT_USAGE
  readonly meaning: string
  readonly fix: string
}

const usage = (meaning: string, fix: string, status = 400): ErrorFacts => ({ status, exit: EXIT_USAGE, meaning, fix })
const failure = (status: number, meaning: string, fix: string): ErrorFacts => ({ status, exit: EXIT_FAILURE, meaning, fix })

export const errorTable = {
  'config-unreadable': usage('The config file cannot be read.', 'Check the path and its permissions.'),
  'config-syntax': usage('The config file is not YAML, or a variable does not hold what its setting needs.', 'Correct the line that is named.'),
  'config-unknown-key': usage('A setting or a module does not exist.', 'Use the suggested name, or see docs/reference/config.md.'),
  'config-bad-value': usage('A setting has a value of the wrong kind or out of range.', 'Use a value that the message names.'),
  'config-missing': usage('A setting that is needed is absent.', 'Add it where the message says.'),
  'config-conflict': usage('Two settings contradict each other.', 'Change one of them, as the message says.'),
  'config-file-missing': usage('A file that the configuration names cannot be read.', 'Correct the path, or make it readable for the server.'),

  'usage': usage('The command line is not understood.', 'Run the command with --help.'),
  'bad-jid': usage('The address is not localpart@host.', 'Write a bare JID such as juliet@capulet.example.'),
  'no-host': usage('The localpart alone does not say which host.', 'Write localpart@host, or give --host.'),
  'no-password': usage('No password was given and there is no terminal to ask on.', 'Use --password-stdin.'),
  'passwords-differ': failure(400, 'The two passwords typed differ.', 'Run the command again.'),
  'bad-request': usage('The request to the control socket is not understood.', 'See the message; client and server should be of one version.'),
  'not-found': failure(404, 'There is no such address or operation.', 'Use one that the message lists.'),
  'method-not-allowed': failure(405, 'The address exists, but not for this method.', 'Use the method that the message names.'),
  'request-too-large': failure(413, 'The request is larger than its limit.', 'Send less at once.'),

  'account-exists': failure(409, 'The account exists already.', 'Choose another name, or set its password with `rollcall account passwd`.'),
  'no-such-account': failure(404, 'There is no such account.', 'See `rollcall account list`.'),
  'host-not-served': failure(400, 'The host is not one that this server serves.', 'Use a host of the config file, or add it to `hosts`.'),
  'bad-password': failure(400, 'The password is empty, too long, or has characters that passwords may not have.', 'Choose another password.'),
  'busy': failure(503, 'Too much is under way.', 'Try again in a moment.'),

  'not-running': failure(503, 'No server runs on this data directory.', 'Start it with `rollcall start`, or name its directory with --data.'),
  'already-running': failure(409, 'A server runs on this data directory already.', 'Stop it with `rollcall stop`, or use another --data.'),
  'not-permitted': failure(403, 'The control socket belongs to another user.', 'Run the command as the user the server runs as.'),
  'no-answer': failure(502, 'The server did not answer on its control socket.', 'Look at its log; it may be stopping.'),
  'not-ready': failure(503, 'The server is starting or stopping.', 'Wait until /readyz answers 200.'),
  'cannot-listen': failure(500, 'A listener cannot be opened.', 'Choose another port or address, or stop the program that has it.'),

  'bad-certificate': failure(500, 'A certificate or its key cannot be used.', 'Check the two PEM files: right format, right pair, right passphrase.'),

  'file-unreadable': failure(400, 'A file cannot be read.', 'Check the path and its permissions.'),
  'file-exists': failure(409, 'The file exists and is not overwritten.', 'Choose another path.'),
  'bad-import': failure(400, 'The file to import has mistakes.', 'Correct the lines that are named and import again: accounts that exist are left alone.'),
  'storage-failed': failure(500, 'The storage failed.', 'Check the disk and the permissions of the data directory.'),
  'storage-full': failure(507, 'The storage is full.', 'Free space, or raise the limit of the database.'),
  'load-failed': failure(502, 'A load test could not be made, or found that the server did something wrong.', 'See the message and the report.'),
  'internal': failure(500, 'A defect of the server or of the command.', 'Please report it with the message and the log.'),
} as const satisfies Readonly<Record<string, ErrorFacts>>

export type ErrorCode = keyof typeof errorTable

/** A failure with a stable code; `message` is for people and names the fix when the table's is not enough. */
export class RollcallError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RollcallError'
    this.code = code
  }

  /** What to do about it. */
  get fix(): string {
    return errorTable[this.code].fix
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorTable, code)
}

/** `docs/reference/errors.md`. */
export function errorReference(): string {
  const rows = Object.entries(errorTable).map(([code, { status, exit, meaning, fix }]) => `| \`${code}\` | ${status} | ${exit} | ${meaning} | ${fix} |`)
  return [
    '# Errors',
    '',
    'Generated from server/config/error-codes.ts by `npm run generate`: do not edit.',
    '',
    'Codes are stable. The command prints them in brackets, the admin listener and the control socket answer',
    '`{"error": {"code": …, "message": …, "fix": …}}` with the HTTP status shown.',
    `The command exits with ${EXIT_OK} when it succeeded, ${EXIT_FAILURE} when what was asked for failed, and ${EXIT_USAGE} when the command line or the`,
    'config file was wrong, in which case nothing was done.',
    '',
    '| Code | HTTP | Exit | Meaning | Fix |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}
