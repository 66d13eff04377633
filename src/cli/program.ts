import { Command, Option, type CommanderError } from 'commander'
import { flagOf, SETTING_NAMES } from '../config/settings.js'
import { PipelineError } from '../domain/errors.js'
import { nearestTo } from '../domain/nearest.js'
import type { CommandGroup, CommandSpec, FlagSpec, FlagValues } from './command.js'
import { COMMON_FLAGS, commandHelp, listHelp } from './help.js'

export type Act = (spec: CommandSpec, flags: FlagValues, argument: string | undefined) => Promise<void>

type Entry = CommandSpec | CommandGroup
const isGroup = (entry: Entry): entry is CommandGroup => 'commands' in entry

/** The command line as commander reads it. `act` runs what was asked for, `say` prints help and version. */
export function buildProgram(o: {
  entries: readonly Entry[]
  act: Act
  say: (text: string) => void
  version: string
}): Command {
  const { entries, act } = o
  const program = new Command('candlelake').version(o.version, '-V, --version', 'print the version')
  program.configureOutput({ writeErr: () => undefined, writeOut: o.say })
  quieten(
    program,
    listHelp({
      sentence: 'Turns the Binance public archive into a verified Parquet lake.',
      example: 'candlelake backfill --symbols BTCUSDT --intervals 1h --from 2024-01 --to 2024-12',
      path: 'candlelake',
      commands: entries,
    }),
  )
  for (const entry of entries) addEntry(program, entry, 'candlelake', act)
  return program
}

function addEntry(parent: Command, entry: Entry, before: string, act: Act): void {
  const path = `${before} ${entry.name}`
  const command = parent.command(entry.name).description(entry.sentence)
  if (!isGroup(entry)) return addCommand(command, entry, path, act)
  const example = entry.commands[0]?.example ?? path
  quieten(command, listHelp({ sentence: entry.sentence, example, path, commands: entry.commands }))
  for (const below of entry.commands) addEntry(command, below, path, act)
}

function addCommand(command: Command, spec: CommandSpec, path: string, act: Act): void {
  quieten(command, commandHelp(spec, path))
  if (spec.argument) command.argument(spec.argument.form, spec.argument.help)
  for (const flag of [...spec.flags, ...COMMON_FLAGS]) command.addOption(optionOf(flag))
  const taken = new Set(command.options.map((option) => option.long))
  for (const name of SETTING_NAMES) {
    if (!taken.has(flagOf(name))) command.addOption(new Option(`${flagOf(name)} <value>`).hideHelp())
  }
  command.action(async (...given: unknown[]) => {
    const words = Array.isArray(given[0]) ? (given[0] as readonly string[]) : null
    const argument = words?.join(' ') ?? (typeof given[0] === 'string' ? given[0] : undefined)
    await act(spec, command.opts<FlagValues>(), argument)
  })
}

function optionOf({ flag, help, fallback, list }: FlagSpec): Option {
  const option = new Option(flag, help)
  if (fallback !== undefined && !list) option.default(fallback)
  if (list) option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
  return option
}

/** Commander does not exit by itself, and its errors are thrown rather than printed. */
function quieten(command: Command, help: string): void {
  command.exitOverride().helpCommand(false).showSuggestionAfterError(false)
  command.configureHelp({ formatHelp: () => help })
}

/** Settings given as flags, by their names. */
export function settingFlags(flags: FlagValues): Readonly<Record<string, string>> {
  const given = SETTING_NAMES.flatMap((name) => {
    const value = flags[name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(given)
}

/** What commander threw, in the program's own words: typos get the nearest word. */
export function usageError(error: CommanderError, program: Command, argv: readonly string[]): PipelineError {
  const message = (error.message.replace(/^error: /, '').split('\n')[0] ?? '').replaceAll("'", '"')
  const command = commandAt(program, argv)
  const typed = /"(-*)([^"]*)"/.exec(message)
  const [dashes, word] = [typed?.[1] ?? '', typed?.[2] ?? '']
  const nearest = nearestTo(word, knownWords(error.code, command))
  return new PipelineError('BAD_USAGE', message.length > 200 ? `${message.slice(0, 197)}...` : message, {
    at: pathOf(command), do: nearest === null ? `see ${pathOf(command)} --help` : `use ${dashes}${nearest}`,
  }, error)
}

function knownWords(code: string, command: Command): readonly string[] {
  if (code === 'commander.unknownCommand') return command.commands.map((one) => one.name())
  if (code !== 'commander.unknownOption') return []
  return command.options.flatMap((option) => (option.long ? [option.long.slice(2)] : []))
}

/** The command that the words lead to, as far as they are commands. */
export function commandAt(program: Command, argv: readonly string[]): Command {
  let at = program
  for (const word of argv) {
    const next = at.commands.find((command) => command.name() === word)
    if (!next) break
    at = next
  }
  return at
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
