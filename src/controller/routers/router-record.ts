/** The active router of a network in the store, under `/v1/routers/<number in hex>`: another run of host0 does not move it. */
import type { MachineWord } from '../../model/machine.ts';
import { hexNumber, type NetworkNumber, NetworkNumberShape } from '../../model/network/number.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

/** Which router has what exists once in a network. */
export interface RouterRecord {
  readonly format: 1;
  readonly network: NetworkNumber;
  readonly machine: MachineWord;
}

const RECORD_MAX_LENGTH = 1_024;

/** The form of these records in the store. */
export const ROUTER_RECORDS: RecordForm<RouterRecord> = jsonRecords(
  '/v1/routers/',
  ({ network }) => hexNumber(network),
  form.object({ format: form.literal(1), network: NetworkNumberShape, machine: MachineWordShape }),
  RECORD_MAX_LENGTH,
);
