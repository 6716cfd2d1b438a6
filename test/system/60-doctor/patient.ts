/** Runs `mesh doctor` and other commands on a host of a lab. */
import { isDeepStrictEqual } from 'node:util';
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MeshError } from '../../../src/model/error.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { DoctorView } from '../../../src/protocol/documents/views.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';

/** As `mesh doctor`: the probes of members and of the kernel take two seconds on an idle machine. */
const TIMEOUT_MS = 60_000;
/** An agent starts within half a second on an idle machine. */
const START_DEADLINE_MS = 15_000;
/** The doctor takes two seconds. On a busy machine a member may be silent for longer than it waits for one. */
const COMPLAINT_DEADLINE_MS = 30_000;

/** The last command in the remedy of a finding. @throws TypeError when there is none */
export function remedyIn(finding: string): string {
  const command = [...(finding.split('; ').at(-1) ?? '').matchAll(/`([^`]*)`/g)].at(-1)?.[1];
  if (command === undefined) throw new TypeError(`no command in: ${finding}`);
  return command;
}

/** A lab's host that the doctor examines. */
export class Patient {
  readonly #lab: () => Lab;
  readonly #name: string;

  /** @param lab called when the host is first needed: a test file names its hosts before their lab is up */
  constructor(lab: () => Lab, name: string) {
    this.#lab = lab;
    this.#name = name;
  }

  get host(): LabHost {
    return this.#lab().host(this.#name);
  }

  /** @throws Error when the command fails */
  async run(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#lab().exec(this.host, command);
    if (code !== 0) throw new Error(`${command.join(' ')} on ${this.host.name}: ${stderr}`);
    return stdout;
  }

  /** Types a line as a user types the remedy of a finding. @throws Error when it fails */
  type(line: string): Promise<string> {
    return this.run(...line.split(' '));
  }

  /** The output of `mesh doctor`. @throws Error when the exit code does not match the findings */
  async doctor(...options: readonly string[]): Promise<DoctorView> {
    const { code, stdout, stderr } = await meshOn(this.host, 'doctor', '--json', ...options);
    if (code > 1) throw new Error(`mesh doctor on ${this.host.name}: ${stderr}`);
    const view = JSON.parse(stdout) as DoctorView;
    if (code !== Number(view.findings.length > 0)) throw new Error(`exit code ${code} with ${stdout}`);
    return view;
  }

  /** What `mesh doctor` shows, without the process of the command. Waits for an agent that is starting. */
  async findings(): Promise<DoctorView['findings']> {
    const agent = agentClient(pathsBelow(this.host.root));
    return await until(`the agent of ${this.host.name} answers`, START_DEADLINE_MS, async () => {
      try {
        return (await agent.ask('GET /v1/doctor', { timeoutMs: TIMEOUT_MS })).findings;
      } catch (error) {
        if (MeshError.from(error).code === 'MESH_NOT_RUNNING') return undefined;
        throw error;
      }
    });
  }

  /** The names of the checks that find something. */
  async complaints(): Promise<string[]> {
    return (await this.findings()).map(({ check }) => check);
  }

  /** Waits until exactly these checks find something. @throws Error with those that do */
  async complainsOf(...checks: readonly string[]): Promise<void> {
    let last: readonly string[] = [];
    try {
      await until(
        `${this.host.name} complains of ${checks.join(', ') || 'nothing'}`,
        COMPLAINT_DEADLINE_MS,
        async () => {
          last = await this.complaints();
          return isDeepStrictEqual(last, checks);
        },
      );
    } catch (cause) {
      throw new Error(`${this.host.name} complains of ${last.join(', ') || 'nothing'}`, { cause });
    }
  }

  /** The finding of a check as `object: saw; remedy`; undefined when it finds nothing. */
  async finding(check: string): Promise<string | undefined> {
    const found = (await this.findings()).find((finding) => finding.check === check);
    return found && `${found.object}: ${found.saw}; ${found.remedy}`;
  }
}
