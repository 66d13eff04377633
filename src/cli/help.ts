import type { CommandGroup, CommandSpec, FlagSpec } from './command.js'

/** Flags that every command has. */
export const COMMON_FLAGS: readonly FlagSpec[] = [
  { flag: '--json', help: 'print JSON: one object, or for a run one a line with the summary last' },
  { flag: '-q, --quiet', help: 'errors and the result only' },
  { flag: '-v, --verbose', help: 'a log line a stage, and stacks' },
  { flag: '--color <when>', help: 'auto, always, never', fallback: 'auto' },
  { flag: '--progress <kind>', help: 'auto, tty, plain, none', fallback: 'auto' },
  { flag: '-o, --output <file>', help: 'write the result there' },
]

const SETTINGS_LINE =
  'Settings: flag (--lake-url), environment (LAKE_URL), .env, default, in this order; .env.example explains them.'

/** The help of one command: a sentence, an example, usage, flags with defaults, exit codes. */
export function commandHelp(spec: CommandSpec, path: string): string {
  const usage = [path, spec.argument?.form, '[flags]'].filter((part) => part !== undefined).join(' ')
  const argument = spec.argument ? [{ left: spec.argument.form, help: spec.argument.help }] : []
  const own = [...argument, ...spec.flags.map(rowOf)]
  const common = [...COMMON_FLAGS, { flag: '-h, --help', help: 'print this' }].map(rowOf)
  const wide = Math.max(...[...own, ...common].map(({ left }) => left.length))
  const block = (rows: readonly Row[]): string[] => rows.map(({ left, help }) => `  ${left.padEnd(wide)}  ${help}`)
  return [
    spec.sentence, '', `  $ ${spec.example}`, '', `Usage: ${usage}`,
    ...(own.length === 0 ? [] : ['', ...block(own)]),
    '', 'Common flags', ...block(common), '', SETTINGS_LINE, '',
    'Exit codes', ...spec.exits.map(([code, when]) => `  ${String(code).padStart(3)}  ${when}`), '',
  ].join('\n')
}

/** The help of a noun or of the program: what can follow. */
export function listHelp(o: {
  sentence: string
  example: string
  path: string
  commands: readonly Pick<CommandSpec | CommandGroup, 'name' | 'sentence'>[]
}): string {
  const wide = Math.max(...o.commands.map(({ name }) => name.length))
  return [
    o.sentence,
    '',
    `  $ ${o.example}`,
    '',
    `Usage: ${o.path} <command> [flags]`,
    '',
    'Commands',
    ...o.commands.map(({ name, sentence }) => `  ${name.padEnd(wide)}  ${sentence}`),
    '',
    `${o.path} <command> --help explains each of them.`,
    '',
  ].join('\n')
}

type Row = { readonly left: string; readonly help: string }

function rowOf({ flag, help, fallback }: FlagSpec): Row {
  const left = flag.startsWith('--') ? `    ${flag}` : flag
  return { left, help: fallback === undefined ? help : `${help} (default: ${fallback})` }
}
