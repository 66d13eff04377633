import { expect } from 'chai'
import { readdir } from 'node:fs/promises'
import { LocalScratch } from '../../../src/adapters/s3-store/local-scratch.js'
import { tempFolder } from '../../support/temp-folder.js'

describe('scratch folders of executions on this host', () => {
  it('are made while others of the same parents are removed', async () => {
    const home = await tempFolder()
    const scratch = new LocalScratch(home.path, 's3://bucket/staging')
    try {
      await Promise.all([0, 1, 2, 3].map(async (maker) => {
        for (let n = 0; n < 600; n++) {
          const folder = `spot-klines/btcusdt/${maker >> 1}/${maker}-${n}`
          await scratch.of(folder)
          await scratch.remove(folder)
        }
      }))
      expect((await scratch.sizes()).size).to.equal(0)
      const [root = ''] = await readdir(`${home.path}/scratch`)
      expect(await readdir(`${home.path}/scratch/${root}`), 'parents that nothing is in').to.deep.equal([])
    } finally {
      await home.remove()
    }
  })
})
