import { join } from 'node:path'
import { resolveConfig, type Config } from '../src/config.js'

/** The product's own defaults for a machine of two cores, in a home of the bench's; nothing of the environment. */
export async function benchConfig(o: {
  home: string; archiveUrl: string; queueUrl: string | null; more?: Readonly<Record<string, string>>
}): Promise<Config> {
  const { config } = await resolveConfig({
    flags: { CANDLELAKE_HOME: o.home, ARCHIVE_URL: o.archiveUrl, ...(o.queueUrl === null ? {} : { QUEUE_URL: o.queueUrl }) },
    environment: o.more ?? {}, dotenv: {}, userHome: join(o.home, '..'), cores: 2,
  })
  return config
}

/** What the stages may do at once, as a line. */
export const concurrencyLine = (config: Config): string =>
  `download ${config.downloadConcurrency}, convert ${config.convertConcurrency}, upload ${config.uploadConcurrency}, ` +
  `verify ${config.verifyConcurrency} at once, ${config.engineSlots} engine slots of 1 thread`
