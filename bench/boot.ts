/** The time of an emulated machine without a disk, from power-on until it is a member of the mesh. */
import { Lab } from '../src/lab/cluster/lab.ts';
import { switchOff, switchOn } from '../src/lab/hosts/machine.ts';
import type { Firmware } from '../src/lab/hosts/topology.ts';
import { type Measurement, measured, timed } from './measurement.ts';
import type { Run } from './run.ts';

const BOOTS = 3;
const BUDGET_MS = { bios: 45_000, uefi: 60_000 } as const satisfies Record<Firmware, number>;

/** The benchmark `boot`. */
export async function boot(run: Run): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const foreignDhcp of [false, true]) {
    for (const firmware of ['bios', 'uefi'] as const) measurements.push(await bootsOf(firmware, foreignDhcp, run));
  }
  return measurements;
}

async function bootsOf(firmware: Firmware, foreignDhcp: boolean, { signal, stage }: Run): Promise<Measurement> {
  const machines = { firmware: [firmware], foreignDhcp };
  const name = `bench-${process.pid}`;
  await using lab = await Lab.build({ name, nodes: 1, segments: 1, machines, onStage: stage, signal });
  await lab.startHost0({ onStage: stage, signal });
  const machine = lab.host('node1');
  const values: number[] = [];
  while (values.length < BOOTS) {
    stage(`a machine with ${firmware.toUpperCase()} boots: ${values.length + 1} of ${BOOTS}`);
    values.push(await timed(() => lab.boot([machine], () => switchOn(machine), { signal })));
    await switchOff(machine);
  }
  const beside = foreignDhcp ? ' beside a foreign DHCP server' : '';
  const budget = { of: 'value', atMost: BUDGET_MS[firmware] } as const;
  return measured({ name: `power-on → member, ${firmware.toUpperCase()}${beside}`, unit: 'ms', budget }, values);
}
