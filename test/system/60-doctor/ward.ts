/** A lab of host0 and two nodes on one segment. The faults of a test are undone after it. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { isReady } from '../drift.ts';
import { until } from '../until.ts';
import { Patient } from './patient.ts';

/** A healed host is well again in a second, and the doctor takes two; after another program's changes the agent may pause 15 s. */
export const DEADLINE_MS = 60_000;

/** A ward for the tests of one file: started before the first test, cured after each, removed after the last. */
export function wardForAllTests(name: string): Ward {
  const ward = new Ward();
  beforeAll(() => ward.open(name));
  afterEach(() => ward.cure());
  afterAll(() => ward.close());
  return ward;
}

class Ward {
  readonly host0 = new Patient(() => this.lab, 'host0');
  readonly node1 = new Patient(() => this.lab, 'node1');
  readonly node2 = new Patient(() => this.lab, 'node2');
  #lab: Lab | undefined;
  #cures: (() => unknown)[] = [];

  /** The lab. @throws TypeError before the first test */
  get lab(): Lab {
    if (this.#lab === undefined) throw new TypeError('the lab is not up');
    return this.#lab;
  }

  async open(name: string): Promise<void> {
    this.#lab = await Lab.up({ name: `${name}-${process.pid}`, nodes: 2, segments: 1 });
    await Promise.all(this.#lab.hosts.map(isReady));
  }

  /** Registers a function that undoes a fault at the end of the test. */
  after(cure: () => unknown): void {
    this.#cures.push(cure);
  }

  /**
   * Undoes the faults of a test, the last one first, and waits until the lab is healthy, so that the next test starts
   * from there.
   */
  async cure(): Promise<void> {
    for (const cure of this.#cures.reverse()) await cure();
    this.#cures = [];
    await this.healthy();
  }

  /** Waits until the doctor finds nothing on any host. */
  async healthy(): Promise<void> {
    await Promise.all([this.host0, this.node1, this.node2].map(isWell));
  }

  /** Adds an nft table as another program would, until the end of the test. */
  async foreignTable(patient: Patient, family: string, table: string, ...lines: string[]): Promise<void> {
    await patient.run('nft', `table ${family} ${table} {\n${lines.join('\n')}\n}`);
    this.after(() => patient.run('nft', `delete table ${family} ${table}`));
  }

  /** Changes a kernel setting until the end of the test. */
  async setting(patient: Patient, name: string, value: string): Promise<void> {
    const before = (await patient.run('sysctl', '-n', name)).trim();
    await patient.run('sysctl', '-q', `${name}=${value}`);
    this.after(() => patient.run('sysctl', '-q', `${name}=${before}`));
  }

  async close(): Promise<void> {
    await this.#lab?.down();
  }
}

async function isWell(patient: Patient): Promise<void> {
  let last: unknown;
  try {
    await until(`${patient.host.name} is well`, DEADLINE_MS, async () => {
      const findings = await patient.findings();
      last = findings;
      return findings.length === 0;
    });
  } catch (cause) {
    throw new Error(`findings of ${patient.host.name}: ${JSON.stringify(last)}`, { cause });
  }
}
