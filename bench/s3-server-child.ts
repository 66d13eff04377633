/** The suite's own S3 server in a process of its own; it says its address and lives as long as whoever started it. */
import { startS3Server } from '../test/support/s3-server/s3-server.js'
import { OUR_KEYS } from '../test/support/s3.js'

process.on('disconnect', () => process.exit())
const server = await startS3Server({ keys: { [OUR_KEYS.accessKeyId]: OUR_KEYS.secretAccessKey } })
process.send?.(server.endpoint)
