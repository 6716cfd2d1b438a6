/** Hosts of a lab as the doctor sees them. */
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { DoctorView } from '../../../src/protocol/documents/views.ts';

export class Patient {
  readonly #lab: () => Lab;
  readonly #name: string;

  /** @param lab asked for when the host is first needed: a file names its hosts before their lab is up */
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

  /** What `mesh doctor` answers; its exit code must say the same. */
  async doctor(...options: readonly string[]): Promise<DoctorView> {
    const { code, stdout, stderr } = await this.#lab().exec(this.host, ['mesh', 'doctor', '--json', ...options]);
    if (code > 1) throw new Error(`mesh doctor on ${this.host.name}: ${stderr}`);
    const view = JSON.parse(stdout) as DoctorView;
    if (code !== Number(view.findings.length > 0)) throw new Error(`exit code ${code} with ${stdout}`);
    return view;
  }

  /** The checks that find something. */
  async complaints(): Promise<string[]> {
    return (await this.doctor()).findings.map(({ check }) => check);
  }

  async finding(check: string): Promise<string | undefined> {
    const found = (await this.doctor()).findings.find((finding) => finding.check === check);
    return found && `${found.object}: ${found.saw}; ${found.remedy}`;
  }
}
