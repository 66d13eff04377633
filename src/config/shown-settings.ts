import { camel, type Config, type LoadedConfig, type Origin } from '../config.js'
import { decodedText } from '../domain/url-credentials.js'
import { isSecret, SETTING_NAMES, type SettingName } from './settings.js'

export type ShownSetting = { readonly name: SettingName; readonly value: string; readonly origin: Origin }

/** Every setting with its value and where it came from; secrets are `set`, URLs come without their passwords. */
export function shownSettings({ config, origins }: LoadedConfig): readonly ShownSetting[] {
  return SETTING_NAMES.map((name) => ({ name, value: shown(name, config[camel(name)]), origin: origins[name] }))
}

function shown(name: SettingName, value: LoadedConfig['config'][keyof LoadedConfig['config']]): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'unset'
  if (isSecret(name)) return 'set'
  if (typeof value === 'string') return withoutPassword(value)
  return typeof value === 'number' ? String(value) : value.map(({ point, action }) => `${point}:${action}`).join(',')
}

/** A URL without its password and its query; other text as it is. */
export function withoutPassword(text: string): string {
  if (!/^[a-z0-9]+:\/\//.test(text) || !URL.canParse(text)) return text
  const url = new URL(text)
  url.password = ''
  url.search = ''
  return url.href.replace(/\/$/, '')
}

/** Texts that no answer may hold: every secret of the configuration, and every password in a URL, as written and decoded. */
export function secretsOf(config: Config): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const value = config[camel(name)]
    return typeof value !== 'string' ? [] : isSecret(name) ? [value] : passwordIn(value)
  })
}

function passwordIn(url: string): string[] {
  if (!URL.canParse(url)) return []
  const { password, searchParams } = new URL(url)
  const inQuery = searchParams.get('password') ?? ''
  return [password, decodedText(password), inQuery].filter((text) => text !== '')
}
