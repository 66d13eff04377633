import { SETTING_NAMES, SETTINGS, type Setting } from './settings.js'

/** The text of `.env.example`: every setting with its default, commented out; a test keeps the file equal to it. */
export function envExample(): string {
  const head = [
    '# Every setting of candlelake, with its default. A flag (--lake-url) wins over the environment, the environment',
    '# over .env in the working directory. Bytes: 1073741824 or 1GiB. `candlelake doctor -v` shows what is in force.',
  ]
  return [...head, ...SETTING_NAMES.flatMap((name) => ['', ...linesOf(name, SETTINGS[name])])].join('\n') + '\n'
}

function linesOf(name: string, setting: Setting): readonly string[] {
  const range = setting.kind === 'choice' ? ` (${setting.options.join(', ')})` : ''
  return [`# ${setting.help}${range}`, `# ${name}=${setting.shown ?? setting.fallback ?? ''}`]
}
