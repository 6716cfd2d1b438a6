/** Composes host0's side of the channels of nodes. */
import type { AskedNode } from '../../api/channel/assignment-push.ts';
import type { ChannelEndpointsInput } from '../../api/channel/channel-endpoints.ts';
import { ChannelEndpoints } from '../../api/channel/channel-endpoints.ts';
import { addChannelMetrics, countChannelRefusals } from '../../api/channel/channel-metrics.ts';
import { Channels } from '../../api/channel/channels.ts';
import { NodeCopies } from '../../api/channel/node-copies.ts';
import type { Assignments } from '../../controller/assignments/assignments.ts';
import type { Controller } from '../../controller/controller.ts';
import type { MachineKeys } from '../../controller/machines/machine-keys.ts';
import type { DiskCopies } from '../../controller/workloads/workload-moves.ts';
import type { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import type { Registry } from '../../metrics/registry.ts';

/** What host0 has before its channels. */
export interface Host0ChannelsInput
  extends Pick<
    ChannelEndpointsInput,
    'clock' | 'journal' | 'verification' | 'management' | 'indexOf' | 'deviceOf' | 'own'
  > {
  readonly keys: MachineKeys;
  readonly assignments: Assignments;
  readonly controller: Controller;
  readonly registry: Registry;
  readonly mirror: LiveMirror;
  /** host0's own agent. */
  readonly ownNode: Pick<AskedNode, 'node'>;
  /** Begins to end moves of workloads. */
  readonly followMoves: (copies: DiskCopies) => () => void;
  /** host0's folder of disk images. */
  readonly isos: string;
}

/** The channels while host0's daemon runs. */
export interface Host0Channels {
  readonly channels: Channels;
  close(): void;
}

/** Opens the endpoint with the management mesh, and shows the channels in the list of nodes and in the metrics. */
export function openChannels(input: Host0ChannelsInput): Host0Channels {
  const { keys, controller, registry, mirror } = input;
  const channels = new Channels({
    ...input,
    memberships: controller.memberships,
    kernelEvents: mirror.events,
    onRefusal: countChannelRefusals(registry),
  });
  addChannelMetrics(registry, channels);
  const endMoves = input.followMoves(new NodeCopies({ ...input, channels }));
  const endpoints = new ChannelEndpoints({ ...input, channels });
  keys.revocations.subscribe((machine) => {
    channels.drop(machine);
    void input.assignments.revoked(machine);
  });
  controller.showChannels((machine) => channels.viewOf(machine));
  controller.memberships.proveBy({
    instanceOf: (machine) => channels.statusOf(machine)?.instance,
    hasKey: (machine) => keys.isEnrolled(machine),
  });
  controller.addHealthOf(channels);
  controller.addHealthOf(endpoints);
  controller.memberships.changes.subscribe((meshes) => endpoints.serve(meshes));
  mirror.changes.subscribe(() => endpoints.linksChanged());
  return {
    channels,
    close: () => {
      endMoves();
      endpoints.close();
      channels.close();
    },
  };
}
