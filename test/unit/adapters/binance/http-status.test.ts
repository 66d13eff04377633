import { expect } from 'chai'
import { retryAfterMs, statusFailure } from '../../../../src/adapters/binance/http-status.js'

const NOW = Date.UTC(2024, 0, 1)
const failure = (status: number, retryAfter: string | null = null) =>
  statusFailure({ status, at: 'http://x/y', retryAfter, nowMs: NOW })

describe('retryAfterMs', () => {
  it('reads seconds and HTTP dates, never less than 0 and never more than a day', () => {
    expect(retryAfterMs('120', NOW)).to.equal(120_000)
    expect(retryAfterMs('0', NOW)).to.equal(0)
    expect(retryAfterMs('Mon, 01 Jan 2024 00:00:30 GMT', NOW)).to.equal(30_000)
    expect(retryAfterMs('Sun, 31 Dec 2023 00:00:00 GMT', NOW)).to.equal(0)
    expect(retryAfterMs('999999999999', NOW)).to.equal(86_400_000)
    expect(retryAfterMs('259200', NOW, 7 * 86_400_000)).to.equal(259_200_000)
  })

  it('says nothing where the header is missing or unclear', () => {
    for (const header of [null, '', 'soon']) expect(retryAfterMs(header, NOW)).to.equal(null)
  })
})

describe('statusFailure', () => {
  const codes = {
    ARCHIVE_ABSENT: [404, 410],
    ARCHIVE_REFUSED: [400, 401, 403, 405, 407, 451, 206, 304],
    ARCHIVE_BUSY: [418, 429],
    ARCHIVE_UNREACHABLE: [408, 500, 502, 503, 504, 599],
  }
  for (const [code, statuses] of Object.entries(codes)) {
    for (const status of statuses) {
      it(`makes ${code} of ${status}`, () => {
        const error = failure(status)
        expect(error.code).to.equal(code)
        expect(error.facts).to.include({ status, at: 'http://x/y' })
      })
    }
  }

  it('makes ARCHIVE_BUSY of 503 when it says how long to wait', () => {
    expect(failure(503, '5')).to.include({ code: 'ARCHIVE_BUSY', retryAfterMs: 5_000 })
    expect(failure(429, 'Mon, 01 Jan 2024 00:01:00 GMT').retryAfterMs).to.equal(60_000)
    expect(failure(429).retryAfterMs).to.equal(null)
  })

  it('says what to do where a region is refused', () => {
    expect(failure(451).do).to.include('region')
  })
})
