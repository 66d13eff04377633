import type { SettingName } from '../../config/settings.js'
import type { LoadedConfig } from '../../config.js'
import { EXIT_ERROR, type CommandSpec, type Context } from '../command.js'

export const doctor: CommandSpec = {
  name: 'doctor',
  sentence: 'Checks every configured service and says what to do about those that fail; -v shows the settings.',
  example: 'candlelake doctor -v',
  flags: [],
  exits: [[0, 'all is well'], [1, `something fails; ${EXIT_ERROR[1]}`]],
  run,
}

const TIMEOUT_MS = 30_000

async function run(context: Context): Promise<number> {
  const { out, loaded } = context
  const { CHECKS, runCheck } = await import('../doctor-checks.js')
  const { renderDoctor } = await import('../render/doctor.js')
  const app = await context.openApp()
  const wide = Math.max(...CHECKS.map(({ name }) => name.length))
  const findings = []
  for (const check of CHECKS) {
    const finding = await runCheck(check, app, TIMEOUT_MS)
    findings.push(finding)
    if (!out.json) out.result(...renderDoctor([finding], out.paint.out, wide))
  }
  const settings = out.verbose ? await settingsOf(loaded) : null
  if (out.json) out.resultJson({ v: 1, type: 'doctor', items: findings, ...(settings ? { settings } : {}) })
  else if (settings) {
    const { renderTable } = await import('../render/table.js')
    const columns = ['setting', 'value', 'origin'].map((title) => ({ title, align: 'left' as const }))
    out.result('', ...renderTable(columns, settings.map(({ name, value, origin }) => [name, value, origin])))
  }
  return findings.every(({ ok }) => ok) ? 0 : 1
}

async function settingsOf(
  loaded: LoadedConfig,
): Promise<readonly { name: SettingName; value: string; origin: string }[]> {
  const { shownSettings } = await import('../../config/shown-settings.js')
  return shownSettings(loaded)
}
