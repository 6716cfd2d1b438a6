/** `cluster.json`: what a lab of virtual machines was built from. It is written before the first machine starts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import * as form from '../../model/form.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { AcceleratorProbe } from '../../services/qemu/accelerator.ts';
import { type VmTopology, VmTopologyShape } from '../topologies/vm-topology.ts';

/**
 * How machines come up: as copies of a template, wherever that is possible (`template`), where it pays (`auto`), or each by a boot of its
 * own (`cold`).
 */
export const START_MODES = ['auto', 'template', 'cold'] as const;
/** One of them. */
export type StartMode = (typeof START_MODES)[number];

/** The content of `cluster.json`. */
export interface ClusterRecord {
  /** The name of the topology, for people. */
  readonly title: string;
  readonly topology: VmTopology;
  /** The directory that paths of the topology are relative to. */
  readonly base: string;
  /** The script that joins cards to nets; absent for taps on bridges. */
  readonly netSetup?: string;
  /** Nets beside those of the topology. */
  readonly moreNets: readonly number[];
  readonly accelerator: AcceleratorProbe;
  readonly start: StartMode;
}

const ClusterRecordShape: form.Shape<ClusterRecord> = form.object({
  title: form.string(),
  topology: VmTopologyShape,
  base: form.string(),
  netSetup: form.exactOptional(form.string()),
  moreNets: form.listOf(form.int(0, 255), 256),
  accelerator: form.object({ accelerator: form.oneOf(['kvm', 'tcg']), why: form.exactOptional(form.string()) }),
  start: form.defaulted(form.oneOf(START_MODES), 'auto'),
});

function fileIn(directory: string): string {
  return join(directory, 'cluster.json');
}

/** Whether a lab is one of virtual machines. */
export function hasMachines(directory: string): boolean {
  return existsSync(fileIn(directory));
}

/** Writes the record of a lab, in place of an earlier one. */
export async function writeClusterRecord(directory: string, record: ClusterRecord): Promise<void> {
  await writeDurable(fileIn(directory), `${JSON.stringify(record, null, 2)}\n`);
}

/** @throws MESH_USAGE for a lab of another kind, MESH_LAB_FAILED for a record that cannot be read */
export function readClusterRecord(name: string, directory: string): ClusterRecord {
  if (!hasMachines(directory)) {
    throw new MeshError('MESH_USAGE', `the lab ${name} has no virtual machines`, {
      object: name,
      rule: 'This command is for labs that `mesh lab up TOPOLOGY` has built.',
      remedy: 'Build one: `mesh lab up default`.',
    });
  }
  const { document, fault } = readDocument(ClusterRecordShape, readFileSync(fileIn(directory), 'utf8'));
  if (document !== undefined) return document;
  throw new MeshError('MESH_LAB_FAILED', `${fileIn(directory)} ${fault}`, {
    object: fileIn(directory),
    remedy: `Take the lab down: \`mesh lab down --name ${name}\`.`,
  });
}
