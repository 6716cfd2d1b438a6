/** Why a command about a workload is refused. */
import { MeshError } from '../../model/error.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { WorkloadRecord } from './workload-record.ts';

/** What was asked for needs a workload that does not run. @param verb what it cannot be: `deleted` */
export function workloadRuns({ workload: { name }, at }: WorkloadRecord, verb: string): MeshError {
  return new MeshError('MESH_WORKLOAD_RUNS', `${name} runs on ${at?.node}, and cannot be ${verb} now`, {
    object: name,
    rule: 'The definition of a workload is changed, and a workload is deleted, while it is stopped.',
    remedy: `Stop it first: \`mesh workload stop -w ${name}\`.`,
  });
}

/** The workload is on its way to another node. */
export function workloadMoves({ workload: { name }, moving }: WorkloadRecord): MeshError {
  return new MeshError('MESH_WORKLOAD_RUNS', `${name} is on its way to ${moving?.node}`, {
    object: name,
    rule: 'A workload that moves is left alone until it has arrived.',
    remedy: `Wait for it: \`mesh workload info -w ${name}\`.`,
    retryable: true,
  });
}

/** Another workload has the name or the uuid. @param fault says which */
export function workloadTwice({ name }: Workload, fault: string): MeshError {
  return new MeshError('MESH_WORKLOAD_TWICE', fault, {
    object: name,
    rule: 'Each workload has a name and a uuid of its own.',
    remedy: 'Write another name or uuid, or delete the other workload: `mesh workload list`.',
  });
}

/** What was asked for needs a workload that is started. */
export function workloadStopped({ workload: { name }, wanted }: WorkloadRecord, verb: string): MeshError {
  const state = wanted === 'stopped' ? 'is stopped' : 'has ended';
  return new MeshError('MESH_WORKLOAD_RUNS', `${name} ${state}, and cannot be ${verb}`, {
    object: name,
    remedy: `Start it: \`mesh workload start -w ${name}\`.`,
  });
}

/** What was asked for needs a workload that is on a node. */
export function workloadOnNoNode({ workload: { name } }: WorkloadRecord): MeshError {
  return new MeshError('MESH_WORKLOAD_RUNS', `${name} has never been started, and is on no node`, {
    object: name,
    remedy: `Start it where it should be: \`mesh workload start -w ${name} -n NODE\`.`,
  });
}

/** The workload is on another node than the one that is named. */
export function workloadElsewhere({ workload: { name }, at }: WorkloadRecord, wanted: string): MeshError {
  return new MeshError('MESH_WORKLOAD_RUNS', `${name} is on ${at?.node}, with its disks`, {
    object: name,
    rule: 'A workload stays on its node until it is moved.',
    remedy: `Move it: \`mesh workload move -w ${name} -n ${wanted}\`.`,
  });
}

/** Another node runs the guest than the one where it is to be started. @param other the name of that node */
export function workloadDouble({ workload: { name }, at }: WorkloadRecord, other: string): MeshError {
  const take =
    at === undefined ? `mesh workload start -w ${name} -n ${other}` : `mesh workload move -w ${name} -n ${other}`;
  return new MeshError('MESH_WORKLOAD_DOUBLE', `${name} still runs on ${other}`, {
    object: name,
    rule: 'A workload runs on one node: two guests would have its addresses.',
    remedy: `Keep it there: \`${take}\`. Or stop it there: \`mesh node orphans list\` says whether ${other} has it from an earlier store.`,
  });
}

/** The node of a workload that should move is away. */
export function workloadOutOfReach({ workload: { name }, at }: WorkloadRecord): MeshError {
  return new MeshError('MESH_NODE_OFFLINE', `${at?.node}, where ${name} is, has no channel to host0`, {
    object: at?.node ?? name,
    rule: 'A workload is stopped on its node before it starts elsewhere: two of them would write to one network, and to two disks.',
    remedy: `Start the node. If it is off for good: \`mesh workload move -w ${name} -n NODE --force\` starts the workload with new disks.`,
  });
}

/** A disk of a workload is a file of the administrator, which nobody copies. */
export function diskStays(
  { workload: { name }, at }: WorkloadRecord,
  target: { readonly node: string },
  path: string,
): MeshError {
  return new MeshError('MESH_NOT_SUPPORTED', `the disk ${path} of ${name} on ${at?.node} is not copied`, {
    object: name,
    rule: 'A disk with an absolute path is the administrator’s. Only disks below the directory of volumes are copied.',
    remedy:
      `Stop ${name}, copy ${path} to the same path on ${target.node}, and then: ` +
      `\`mesh workload move -w ${name} -n ${target.node} --force\`. Its other disks are new ones then.`,
  });
}
