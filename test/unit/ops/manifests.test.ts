import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import { parse, parseAllDocuments } from 'yaml'
import { SETTING_NAMES, SETTINGS } from '../../../src/config/settings.js'
import { JOB_STAGES } from '../../../src/domain/states.js'
import { join, resolve } from 'node:path'

type Named = { readonly name: string }
type Service = {
  readonly image: string
  readonly command?: readonly string[] | string
  readonly environment?: Readonly<Record<string, string>>
  readonly stop_grace_period?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
}
type Container = {
  readonly image: string
  readonly args: readonly string[]
  readonly env?: readonly (Named & { readonly value?: string })[]
  readonly ports: readonly (Named & { readonly containerPort: number })[]
  readonly livenessProbe: { readonly httpGet: { readonly path: string } }
  readonly readinessProbe: { readonly httpGet: { readonly path: string } }
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean; readonly capabilities: { drop: readonly string[] } }
}
type Pod = {
  readonly terminationGracePeriodSeconds?: number
  readonly enableServiceLinks: boolean
  readonly securityContext: { readonly runAsNonRoot: boolean }
  readonly containers: readonly Container[]
}
type Manifest = {
  readonly kind: string
  readonly metadata: Named
  readonly data?: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas?: number
    readonly template: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: Pod }
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly podMetricsEndpoints: readonly { readonly port: string }[]
    readonly scaleTargetRef: Named
    readonly triggers: readonly { readonly metadata: { readonly query: string } }[]
  }
}

const CHECKOUT = resolve(import.meta.dirname, '../../../..')

const read = (path: string): string => readFileSync(join(CHECKOUT, path), 'utf8')
const compose = (path: string) => parse(read(path), { merge: true }) as { services: Record<string, Service> }
const manifests = readdirSync(join(CHECKOUT, 'ops/kubernetes')).flatMap((name) =>
  parseAllDocuments(read(`ops/kubernetes/${name}`)).map((one) => one.toJS() as Manifest))

/** What compose files ask of the shell or `.env` that is no setting of the program. */
const COMPOSE_ONLY = ['CANDLELAKE_IMAGE', 'CANDLELAKE_ENV_FILE', 'POSTGRES_PASSWORD', 'POSTGRES_PORT', 'REDIS_PORT']

const known: readonly string[] = SETTING_NAMES
const graceSeconds = SETTINGS.SHUTDOWN_GRACE_SECONDS.fallback
const stagesIn = (argv: readonly string[]): readonly string[] =>
  argv[0] === 'worker' && argv[1] === '--stages' ? (argv[2] ?? '').split(',') : []

describe('the compose files', () => {
  const { services } = compose('docker-compose.yml')
  const ours = Object.entries(services).filter(([, { image }]) => image.includes('CANDLELAKE_IMAGE'))

  it('set nothing but settings of the program, and ask .env for nothing else', () => {
    const set = ours.flatMap(([, { environment = {} }]) => Object.keys(environment))
    expect(set.filter((name) => !known.includes(name))).to.deep.equal([])
    const asked = ['docker-compose.yml', 'ops/smoke/compose.yml', 'ops/compose.external.yml'].flatMap((path) =>
      [...read(path).matchAll(/(?<!\$)\$\{([A-Z0-9_]+)/g)].map(([, name]) => name ?? ''))
    expect(asked).to.include('DATABASE_URL')
    expect(asked.filter((name) => !known.includes(name) && !COMPOSE_ONLY.includes(name))).to.deep.equal([])
  })

  it('hold no secret', () => {
    const secrets = Object.values(services).flatMap(({ environment = {} }) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|SECRET/.test(name)).map(([, value]) => value))
      .filter((value) => value !== '')
    expect(secrets).to.have.length.above(2)
    for (const value of secrets) expect(value).to.match(/^\$\{[A-Z0-9_]+:[-?][^}]*\}$/)
  })

  it('pin every image', () => {
    const images = Object.values(services).map(({ image }) => image)
    expect(images).to.have.length.above(5)
    for (const image of images) expect(image).to.match(/^(\$\{CANDLELAKE_IMAGE:-candlelake:local\}|[a-z/]+:[\w.-]*\d[\w.-]*)$/)
  })

  it('run each stage in one service', () => {
    const stages = ours.flatMap(([, { command = [] }]) => stagesIn([command].flat()))
    expect([...stages].sort()).to.deep.equal([...JOB_STAGES].sort())
  })

  it('run the schedules in one service', () => {
    const running = ours.filter(([, { command }]) => [command].flat()[0] === 'schedule')
    expect(running.map(([name, { command }]) => [name, command])).to.deep.equal([['schedule', ['schedule', 'run']]])
  })

  it('lock every container of the program, and give it longer than its grace to end', () => {
    expect(ours.map(([name]) => name)).to.deep.equal(['download', 'convert', 'publish', 'schedule', 'server', 'candlelake'])
    for (const [name, service] of ours) {
      expect(service.read_only, name).to.equal(true)
      expect(service.cap_drop, name).to.deep.equal(['ALL'])
      expect(service.security_opt, name).to.deep.equal(['no-new-privileges:true'])
      expect(Number.parseInt(service.stop_grace_period ?? '', 10), name).to.be.above(graceSeconds + 5)
    }
  })

  it('publish ports on this machine only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? [])
    expect(ports).to.have.length(3)
    for (const port of ports) expect(port).to.match(/^127\.0\.0\.1:/)
  })
})

describe('the manifests for Kubernetes', () => {
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment')
  const containerOf = ({ spec }: Manifest): Container => spec.template.spec.containers[0] as Container
  const config = manifests.find(({ kind }) => kind === 'ConfigMap')?.data ?? {}

  it('set nothing but settings of the program', () => {
    const set = [...Object.keys(config), ...deployments.flatMap((one) => (containerOf(one).env ?? []).map(({ name }) => name))]
    expect(set).to.include.members(['LAKE_URL', 'METRICS_PORT'])
    expect(set.filter((name) => !known.includes(name))).to.deep.equal([])
  })

  it('run each stage in one deployment, and scale each by its own queues', () => {
    const stages = Object.fromEntries(deployments.map((one) => [one.metadata.name, stagesIn(containerOf(one).args)]))
    expect(Object.values(stages).flat().sort()).to.deep.equal([...JOB_STAGES].sort())
    const scaled = manifests.filter(({ kind }) => kind === 'ScaledObject').map(({ spec }) => {
      const asked = [...(spec.triggers[0]?.metadata.query ?? '').matchAll(/stage=~"([^"]+)"/g)].map(([, list]) => list)
      return [spec.scaleTargetRef.name, asked] as const
    })
    const workers = Object.entries(stages).filter(([, list]) => list.length > 0)
    const wanted = workers.map(([name, list]) => [name, [list.join('|'), list.join('|')]])
    expect(Object.fromEntries(scaled)).to.deep.equal(Object.fromEntries(wanted))
  })

  it('run the schedules in one deployment that nothing scales, with a port that is scraped', () => {
    const running = deployments.filter((one) => containerOf(one).args[0] === 'schedule')
    expect(running.map((one) => [one.metadata.name, containerOf(one).args, one.spec.replicas]))
      .to.deep.equal([['candlelake-schedule', ['schedule', 'run'], 1]])
    const [one] = running as [Manifest]
    const { env, ports: [port] } = containerOf(one)
    expect(env).to.deep.include({ name: 'METRICS_PORT', value: String(port?.containerPort) })
    const monitor = manifests.find(({ kind }) => kind === 'PodMonitor')
    expect(one.spec.template.metadata.labels).to.include(monitor?.spec.selector.matchLabels)
    expect(monitor?.spec.podMetricsEndpoints.map((endpoint) => endpoint.port)).to.deep.equal([port?.name])
  })

  it('are all applied', () => {
    const { resources } = parse(read('ops/kubernetes/kustomization.yaml')) as { resources: string[] }
    const files = readdirSync(join(CHECKOUT, 'ops/kubernetes')).filter((name) => name !== 'kustomization.yaml')
    expect(resources.toSorted()).to.deep.equal(files.toSorted())
  })

  it('ask Prometheus for metrics that there are', () => {
    const asked = ['autoscale', 'monitor'].flatMap((name) =>
      [...read(`ops/kubernetes/${name}.yaml`).matchAll(/candlelake_[a-z_]+/g)].map(([metric]) => metric))
    const documented = [...read('docs/metrics.md').matchAll(/^\| `(candlelake_[a-z_]+)`/gm)].map(([, name]) => name)
    expect(asked).to.include.members(['candlelake_queue_jobs', 'candlelake_feed_lag_seconds'])
    expect(asked.filter((name) => !documented.includes(name))).to.deep.equal([])
  })

  it('lock every pod, probe it without a password, and give workers longer than their grace to end', () => {
    expect(deployments).to.have.length(5)
    for (const one of deployments) {
      const { template: { spec: pod } } = one.spec
      const { securityContext, livenessProbe, readinessProbe, args } = containerOf(one)
      expect([pod.enableServiceLinks, pod.securityContext.runAsNonRoot]).to.deep.equal([false, true])
      expect(securityContext).to.deep.include({ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
      expect([livenessProbe.httpGet.path, readinessProbe.httpGet.path]).to.deep.equal(['/livez', '/readyz'])
      if (args[0] === 'worker') {
        expect(pod.terminationGracePeriodSeconds).to.be.above(Number(config['SHUTDOWN_GRACE_SECONDS']) + 5)
      }
    }
  })
})

describe('the units for systemd', () => {
  const names = readdirSync(join(CHECKOUT, 'ops/systemd'))
  const units = Object.fromEntries(names.map((name) => [name, read(`ops/systemd/${name}`)]))
  const worker = units['candlelake-worker@.service'] ?? ''
  const schedule = units['candlelake-schedule.service'] ?? ''
  const valueOf = (unit: string, key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1]

  it('wait longer than the grace of a worker', () => {
    expect(Number(valueOf(worker, 'TimeoutStopSec'))).to.be.above(graceSeconds + 5)
  })

  it('run the stages that are named, and the schedules', () => {
    expect(Object.keys(units)).to.have.length(2)
    const program = '/usr/bin/node /opt/candlelake/bin/candlelake.js'
    expect(valueOf(worker, 'ExecStart')).to.equal(`${program} worker --stages %I`)
    expect(valueOf(schedule, 'ExecStart')).to.equal(`${program} schedule run`)
    const named = [...worker.matchAll(/candlelake-worker@([a-z,]+)/g)].flatMap(([, list = '']) => list.split(','))
    expect(named.toSorted()).to.deep.equal([...JOB_STAGES].sort())
  })

  it('lock both alike, and take 143 for an orderly end', () => {
    const own = /^(Description|ExecStart|TimeoutStopSec|MemoryMax)=/
    const rulesOf = (unit: string) => unit.split('\n').filter((line) => !line.startsWith('#') && !own.test(line))
    expect(rulesOf(schedule)).to.deep.equal(rulesOf(worker))
    expect(rulesOf(schedule)).to.include.members(['SuccessExitStatus=143', 'ProtectSystem=strict'])
  })
})
