import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { filesBelow } from '../support/cli.js'
import { tempFolder } from '../support/temp-folder.js'
import { manyWorkers } from './many-workers.suite.js'

manyWorkers('lake and staging in folders', async () => {
  const folder = await tempFolder()
  const [lake, staging] = [join(folder.path, 'lake'), join(folder.path, 'staging')]
  return {
    env: { LAKE_URL: pathToFileURL(lake).href, STAGING_URL: pathToFileURL(staging).href },
    objects: () => Promise.resolve(Object.fromEntries(filesBelow(lake).filter((key) => key.endsWith('.parquet'))
      .map((key) => [key, createHash('sha256').update(readFileSync(join(lake, key))).digest('hex')]))),
    left: () => Promise.resolve([...filesBelow(staging), ...filesBelow(join(lake, '_incoming'))]),
    close: () => folder.remove(),
  }
})
