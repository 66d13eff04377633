import { readFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseEnv } from 'node:util'
import { PipelineError } from './domain/errors.js'
import { isTransactionPooler } from './domain/transaction-pooler.js'
import type { ArmedFailpoint } from './config/schemas.js'
import { flagOf, isSecret, SETTING_NAMES, SETTINGS, type Setting, type SettingName } from './config/settings.js'
import { errnoOf } from './domain/errno.js'

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<S>

type Text<S> = S extends { fallback: string } | { derived: true } ? string : string | null

type ValueOf<S> = S extends { kind: 'count' | 'seconds' | 'bytes' } ? number
  : S extends { kind: 'choice'; options: readonly (infer O)[] } ? O
    : S extends { kind: 'failpoints' } ? readonly ArmedFailpoint[]
      : Text<S>

/** Every setting under its name in camel case (`lakeUrl`); unset ones are null, sizes are bytes. */
export type Config = { readonly [N in SettingName as Camel<N>]: ValueOf<(typeof SETTINGS)[N]> }

/** Where a value came from. */
export type Origin = 'flag' | 'environment' | '.env' | 'default'

/** The configuration, and where each value of it came from. */
export type LoadedConfig = { readonly config: Config; readonly origins: Readonly<Record<SettingName, Origin>> }

type Environment = Readonly<Record<string, string | undefined>>

/** What configuration is made of. `flags` are settings by name, as the command line gave them. */
export type ConfigSources = {
  readonly flags: Environment
  readonly environment: Environment
  readonly dotenv: Environment
  readonly userHome: string
  readonly cores: number
}

/** Reads flags, the environment and `.env` of the working directory, in this order. @throws {BAD_CONFIG} */
export async function loadConfig(flags: Environment = {}): Promise<LoadedConfig> {
  const sources = { flags, environment: process.env, dotenv: readDotenv(), userHome: homedir() }
  return resolveConfig({ ...sources, cores: availableParallelism() })
}

/** `settings` and defaults only: for what must not touch the services that this machine is configured for. */
export async function isolatedConfig(settings: Environment): Promise<LoadedConfig> {
  return resolveConfig({
    flags: settings,
    environment: {},
    dotenv: {},
    userHome: homedir(),
    cores: availableParallelism(),
  })
}

/**
 * Keeps the AWS SDK from writing to stderr which Node its later versions will want: this one is pinned, and what commands
 * write there is read by programs.
 */
export function keepAwsSdkQuiet(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
}

/** What the terminal's conventions say: colours, kind of terminal. */
export function terminalEnvironment(): { noColor?: string; forceColor?: string; term?: string; ci?: string } {
  const { NO_COLOR: noColor, FORCE_COLOR: forceColor, TERM: term, CI: ci } = process.env
  const given = Object.entries({ noColor, forceColor, term, ci }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}

/** @throws {BAD_CONFIG} with every problem by name, and no value */
export async function resolveConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const { schemaOf } = await import('./config/schemas.js')
  const problems: string[] = []
  const values = new Map<SettingName, unknown>()
  const origins = {} as Record<SettingName, Origin>
  for (const name of SETTING_NAMES) {
    const setting: Setting = SETTINGS[name]
    const [text, origin] = pick(name, sources)
    origins[name] = origin
    const given = text ?? (setting.fallback === null ? null : String(setting.fallback))
    if (given === null) continue
    const parsed = schemaOf(setting).safeParse(given)
    if (parsed.success) values.set(name, parsed.data)
    else problems.push(...new Set(parsed.error.issues.map((issue) => `${labelOf(name, origin)} ${issue.message}`)))
  }
  problems.push(...contradictions(values, origins, sources))
  if (problems.length > 0) throw badConfig(problems)
  return { config: configOf(values, sources), origins }
}

/** An empty value counts as none: compose files and CI pass unset variables on as empty ones. */
function pick(name: SettingName, { flags, environment, dotenv }: ConfigSources): readonly [string | null, Origin] {
  if (flags[name] !== undefined) return [flags[name], 'flag']
  const exported = environment[name] || (isProxy(name) && environment[name.toLowerCase()])
  if (exported) return [exported, 'environment']
  return dotenv[name] ? [dotenv[name], '.env'] : [null, 'default']
}

/** Proxies are written in lower case as often. */
const isProxy = (name: SettingName): boolean => name.endsWith('_PROXY')

const labelOf = (name: SettingName, origin: Origin): string => (origin === 'flag' ? flagOf(name) : name)

function contradictions(
  values: ReadonlyMap<SettingName, unknown>,
  origins: Readonly<Record<SettingName, Origin>>,
  { environment }: ConfigSources,
): readonly string[] {
  const found: string[] = []
  const bySight = SETTING_NAMES.filter(
    (name) => origins[name] === 'flag' && (isSecret(name) || hasPassword(values.get(name))),
  )
  for (const name of bySight) found.push(`${flagOf(name)} would show a password to everyone here: set ${name}`)
  if (values.has('SERVER_USER') !== values.has('SERVER_PASSWORD')) {
    found.push('SERVER_USER and SERVER_PASSWORD go together')
  }
  if (values.has('S3_ACCESS_KEY_ID') !== values.has('S3_SECRET_ACCESS_KEY')) {
    found.push('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together')
  }
  const [lake, staging] = [values.get('LAKE_URL'), values.get('STAGING_URL')].map((url) => `${String(url)}/`)
  if (lake?.startsWith('s3:') && staging && (lake.startsWith(staging) || staging.startsWith(lake))) {
    found.push('LAKE_URL and STAGING_URL lie one within the other: give each a prefix of its own')
  }
  for (const name of ['DATABASE_URL', 'QUEUE_URL'] as const) {
    if (!isTransactionPooler(textOf(values, name) ?? '')) continue
    found.push(`${name} is of a transaction pooler, whose sessions do not last: `
      + 'use the direct connection or the session pooler (port 5432)')
  }
  if (environment['NODE_ENV'] !== 'production') return found
  const armed = SETTING_NAMES.filter((name) => 'testOnly' in SETTINGS[name] && values.has(name))
  return [...found, ...armed.map((name) => `${name} is for tests and NODE_ENV is production`)]
}

function hasPassword(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const url = new URL(value)
  return url.password !== '' || url.searchParams.has('password')
}

function badConfig(problems: readonly string[]): PipelineError {
  const facts = { do: 'correct them: .env.example explains every setting', problems: problems.length }
  return new PipelineError(
    'BAD_CONFIG',
    problems.join('; '),
    problems.length > 1 ? facts : { ...facts, do: 'correct it' },
  )
}

/** Fills in what follows from other settings and from the machine, and gives every setting its place. */
function configOf(values: ReadonlyMap<SettingName, unknown>, { environment, userHome, cores }: ConfigSources): Config {
  const at = (folder: string | undefined, ...rest: string[]): string =>
    join(folder || join(userHome, ...rest), 'candlelake')
  const home = resolve(textOf(values, 'CANDLELAKE_HOME') ?? at(environment['XDG_DATA_HOME'], '.local', 'share'))
  const below = (folder: string): string => pathToFileURL(join(home, folder)).href
  const archive = textOf(values, 'ARCHIVE_URL') ?? ''
  const slots = values.get('ENGINE_SLOTS') ?? cores
  const derived: Partial<Record<SettingName, unknown>> = {
    CANDLELAKE_HOME: home,
    CANDLELAKE_CACHE: at(environment['XDG_CACHE_HOME'], '.cache'),
    LAKE_URL: below('lake'),
    STAGING_URL: below('staging'),
    // The archive's own listing is on another host; every server with its layout lists at its root.
    ARCHIVE_LIST_URL: archive === SETTINGS.ARCHIVE_URL.fallback ? SETTINGS.ARCHIVE_LIST_URL.shown : archive,
    ENGINE_SLOTS: slots,
    QUERY_EXTENSION_DIR: join(userHome, '.duckdb', 'extensions'),
    // Half of such a job is catalog, queue and files: with one job a slot, the slots were idle for a third of the time.
    CONVERT_CONCURRENCY: Number(slots) * 2,
    VERIFY_CONCURRENCY: Number(slots) * 2,
    CANDLELAKE_FAILPOINTS: [],
  }
  const valueOf = (name: SettingName): unknown => values.get(name) ?? derived[name] ?? null
  return Object.fromEntries(SETTING_NAMES.map((name) => [camel(name), valueOf(name)])) as unknown as Config
}

function textOf(values: ReadonlyMap<SettingName, unknown>, name: SettingName): string | null {
  const value = values.get(name)
  return typeof value === 'string' ? value : null
}

/** The name of a setting in `Config`. */
export const camel = (name: SettingName): keyof Config =>
  name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as keyof Config

function readDotenv(): Environment {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return {}
    throw new PipelineError(
      'BAD_CONFIG',
      '.env cannot be read',
      { at: '.env', do: 'make it readable, or move it away' },
      thrown,
    )
  }
}
