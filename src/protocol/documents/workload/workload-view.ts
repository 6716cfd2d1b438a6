/** Workloads as host0 shows them, and what a command about one does. */
import type { Mac } from '../../../model/address/mac.ts';
import type { ErrorDocument } from '../../../model/error.ts';
import type { MachineWord } from '../../../model/machine.ts';
import type { WantedRun, Workload } from '../../../model/workload/workload.ts';
import type { RunState, WorkloadRun } from './assigned-workload.ts';

/** How a workload is, as far as host0 knows. */
export type WorkloadState =
  | RunState
  /** It has never been started. */
  | 'new'
  /** Its node has not told of it yet. */
  | 'waiting'
  /** It stops on one node, to be started on another. */
  | 'moving'
  /** Its node has no channel to host0. `ageSec` says for how long it has told nothing. */
  | 'lost';

/** One card of a workload, with its port. */
export interface WorkloadPortView {
  /** The id of the card. */
  readonly id: string;
  /** The network as the workload names it. */
  readonly network: string;
  /** The id of the port; absent before the first start. */
  readonly port?: string;
  readonly mac?: Mac;
  readonly addresses: readonly string[];
}

/** A workload. */
export interface WorkloadView {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly workload: Workload;
  readonly wanted: WantedRun;
  readonly generation: number;
  readonly state: WorkloadState;
  /** For how long in this state, as far as that is known. */
  readonly ageSec?: number;
  /** What the state waits for, or what was the last end. */
  readonly why?: string;
  readonly error?: ErrorDocument;
  /** The name of the node. */
  readonly node?: string;
  readonly machine?: MachineWord;
  /** Where it is moving to. */
  readonly movesTo?: string;
  readonly ports: readonly WorkloadPortView[];
  /** What the node told last. */
  readonly run?: WorkloadRun;
  /** Other nodes that still run it: they were away when it was moved. */
  readonly alsoOn?: readonly string[];
}

/** What a command does to a workload, or would do. */
export interface WorkloadAnswer {
  readonly workload: WorkloadView;
  /** One line each; none when all is as wanted. */
  readonly steps: readonly string[];
  readonly dryRun: boolean;
}
