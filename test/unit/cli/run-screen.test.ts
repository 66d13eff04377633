import { expect } from 'chai'
import { NO_PAINT, paintOf } from '../../../src/cli/render/paint.js'
import { renderBar, renderPlain, renderRun } from '../../../src/cli/render/run-screen.js'
import { cellsOf } from '../../../src/cli/render/text.js'
import { DRAWN } from './sample-run.js'

describe('the screen of a run', () => {
  it('is drawn as documented', () => {
    expect(renderRun(DRAWN, 80, NO_PAINT)).to.deep.equal([
      'download  ███████░░░  268/356  315/418 MiB    24 MiB/s  ETA 0:04',
      'convert   ██████░░░░  241/356   5.4 M rows  310k row/s  ETA 0:08',
      'upload    ██████░░░░  240/356      276 MiB    16 MiB/s  ETA 0:08',
      'verify    ██████░░░░  236/356   5.2 M rows  300k row/s  ETA 0:09',
      'run 7f3k2  0:18  ETA 0:09  1 flagged  0 quarantined',
    ])
  })

  it('shrinks the bars first', () => {
    expect(renderRun(DRAWN, 60, NO_PAINT).slice(0, 2)).to.deep.equal([
      'download  ████░░  268/356  315/418 MiB    24 MiB/s  ETA 0:04',
      'convert   ████░░  241/356   5.4 M rows  310k row/s  ETA 0:08',
    ])
  })

  it('then gives up rates, amounts and bars', () => {
    expect(renderRun(DRAWN, 50, NO_PAINT)[0]).to.equal('download  ██████░░  268/356  315/418 MiB  ETA 0:04')
    expect(renderRun(DRAWN, 36, NO_PAINT)[0]).to.equal('download  █████░░  268/356  ETA 0:04')
    expect(renderRun(DRAWN, 18, NO_PAINT)[0]).to.equal('download  268/356')
  })

  for (let width = 8; width <= 120; width += 7) {
    it(`is never wider than ${width} cells`, () => {
      const view = { ...DRAWN, failed: 3, late: 12, waitsFor: 'DISK_FULL' }
      expect(renderRun(view, width, NO_PAINT).filter((line) => cellsOf(line) > width)).to.deep.equal([])
    })
  }

  it('leaves out what is not known', () => {
    const stages = DRAWN.stages.map((stage) => ({
      ...stage,
      amount: null,
      amountTotal: null,
      perSecond: null,
      etaSeconds: null,
    }))
    const lines = renderRun({ ...DRAWN, stages, etaSeconds: null }, 80, NO_PAINT)
    expect(lines[0]).to.equal('download  ███████░░░  268/356                           ETA -:--')
    expect(lines[4]).to.equal('run 7f3k2  0:18  ETA -:--  1 flagged  0 quarantined')
  })

  it('says why nothing moves, what failed and what is late', () => {
    const lines = renderRun({ ...DRAWN, failed: 2, late: 1_234, waitsFor: 'STAGING_FULL' }, 120, NO_PAINT)
    expect(lines[4]).to.equal(
      'run 7f3k2  0:18  ETA 0:09  1 flagged  0 quarantined  2 failed  1,234 late  waits: STAGING_FULL',
    )
  })

  it('paints the bars only', () => {
    const painted = renderRun(DRAWN, 80, paintOf(true))[0] ?? ''
     
    expect(painted.replace(/\u001b\[\d+m/g, '')).to.equal(renderRun(DRAWN, 80, NO_PAINT)[0])
    expect(painted).to.include('\u001b[36m███████░░░\u001b[39m')
  })

  it('fills a bar only when all is done', () => {
    expect(renderBar(999, 1_000, 10)).to.equal('█████████░')
    expect(renderBar(1_000, 1_000, 10)).to.equal('██████████')
    expect(renderBar(0, 1_000, 4)).to.equal('░░░░')
    expect(renderBar(0, 0, 4)).to.equal('████')
  })

  it('is one plain line elsewhere', () => {
    expect(renderPlain(DRAWN, new Date('2026-11-22T20:31:14.999Z')))
      .to.equal('2026-11-22T20:31:14Z 7f3k2 verified 236/356 quarantined 0 24MiB/s eta 9s')
    const stages = DRAWN.stages.map((stage) => ({ ...stage, perSecond: null }))
    expect(renderPlain({ ...DRAWN, stages, etaSeconds: null, failed: 1, waitsFor: 'DISK_FULL' }, new Date(0)))
      .to.equal('1970-01-01T00:00:00Z 7f3k2 verified 236/356 quarantined 0 failed 1 eta - waits DISK_FULL')
  })
})
