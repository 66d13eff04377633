import { checkRule, FAULT_KINDS, isOn, matches, UNLIMITED, type FaultKind, type FaultRule } from './fault-rule.js'
import { hashOf, unitFloat } from './random.js'

/**
 * The switches of a running archive server. `counts` says how often each fault really struck, so that a test
 * has a witness. Chance depends on the seed, the path and how often that path was asked, never on the order in which
 * requests of different paths arrive.
 */
export class Faults {
  /** How often each fault struck since the start or the last `reset`. */
  readonly counts: Record<FaultKind, number>
  #rules: readonly FaultRule[] = []
  #seed: number
  /** How often each rule's fault was asked for, and how often it struck, by rule, fault and path. */
  #asked = new Map<string, number>()
  #struck = new Map<string, number>()

  /** @throws {BAD_CONFIG} */
  constructor(rules: FaultRule | readonly FaultRule[] = [], seed = 1) {
    this.counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
    this.#seed = seed
    this.set(rules)
  }

  /**
   * Replaces all rules, and with them their limits; `counts` go on. Of several rules with the same fault the first
   * that strikes decides. @throws {BAD_CONFIG}
   */
  set(rules: FaultRule | readonly FaultRule[], seed = this.#seed): void {
    const list = Array.isArray(rules) ? (rules as readonly FaultRule[]) : [rules as FaultRule]
    list.forEach(checkRule)
    this.#rules = list
    this.#seed = seed
    this.#asked.clear()
    this.#struck.clear()
  }

  /** Nothing goes wrong any more. */
  clear(): void {
    this.set([])
  }

  /** Sets every count back to 0. */
  reset(): void {
    for (const kind of FAULT_KINDS) this.counts[kind] = 0
  }

  /**
   * The rule by which this fault strikes this request now, else null. It is counted as having struck: call it only
   * where nothing can keep the fault from happening, or, where the rule's own numbers decide that, pass `can`.
   */
  strike(kind: FaultKind, path: string, can: (rule: FaultRule) => boolean = () => true): FaultRule | null {
    for (const [index, rule] of this.#rules.entries()) {
      if (!isOn(rule, kind) || (rule.match !== undefined && kind !== 'hide' && !matches(rule.match, path))) continue
      if (!can(rule) || !this.#within(rule, index, kind, path)) continue
      this.counts[kind] += 1
      return rule
    }
    return null
  }

  /** Whether a key (no leading `/`) is hidden from listings and requests; counted each time. */
  hides(key: string): boolean {
    return this.strike('hide', `/${key}`, (rule) => (rule.hide ?? []).some((one) => matches(one, `/${key}`))) !== null
  }

  /** Where the wrong bit of a body of `size` bytes lies: the same for every request of a path. */
  flippedBit(path: string, size: number): { readonly offset: number; readonly mask: number } {
    const hash = hashOf(`flip ${path}`, this.#seed)
    return { offset: Math.floor(size / 4) + (hash % Math.max(1, Math.floor(size / 2))), mask: 1 << (hash >>> 29) }
  }

  #within(rule: FaultRule, index: number, kind: FaultKind, path: string): boolean {
    const [all, one] = [`${index} ${kind}`, `${index} ${kind} ${path}`]
    if (kind === 'tooManyRequests') return raise(this.#struck, all) <= (rule.tooManyRequests?.count ?? 0)
    if (UNLIMITED.has(kind)) return true
    const nth = raise(this.#asked, one)
    if (nth > (rule.firstPerPath ?? Infinity) || (this.#struck.get(all) ?? 0) >= (rule.times ?? Infinity)) return false
    const rate = kind === 'errorRate' ? rule.errorRate : rule.rate
    if (unitFloat(hashOf(`${nth} ${one}`, this.#seed)) >= (rate ?? 1)) return false
    raise(this.#struck, all)
    return true
  }
}

function raise(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1
  counts.set(key, count)
  return count
}
