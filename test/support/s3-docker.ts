import { spawnSync } from 'node:child_process'

const IMAGE = 'minio/minio:latest'
const KEYS = { accessKeyId: 'candlelake-test', secretAccessKey: 'only-for-this-run' }
const PORT = 9_000

export type Minio = {
  readonly endpoint: string
  readonly keys: typeof KEYS
  readonly stop: () => Promise<void>
}

/** A MinIO of this run; null where no Docker engine answers, or it neither has nor gets the image. */
export async function dockerMinio(): Promise<Minio | null> {
  if (!docker(['info'], 20_000) || !(docker(['image', 'inspect', IMAGE], 20_000) || docker(['pull', '-q', IMAGE], 120_000))) {
    return null
  }
  // Loaded only here: it takes half a second.
  const { GenericContainer, Wait } = await import('testcontainers')
  const started = await new GenericContainer(IMAGE)
    .withEnvironment({ MINIO_ROOT_USER: KEYS.accessKeyId, MINIO_ROOT_PASSWORD: KEYS.secretAccessKey })
    .withCommand(['server', '/data'])
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/minio/health/ready', PORT))
    .start()
  const endpoint = `http://${started.getHost()}:${started.getMappedPort(PORT)}`
  return { endpoint, keys: KEYS, stop: () => started.stop().then(() => undefined) }
}

const docker = (args: readonly string[], timeout: number): boolean =>
  spawnSync('docker', args, { stdio: 'ignore', timeout }).status === 0
