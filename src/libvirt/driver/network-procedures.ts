/** The procedures that make, change, start, stop and remove networks. */
import { METADATA_TYPE } from '../calls/event-calls.ts';
import { NETWORK_CALLS as CALLS } from '../calls/network-calls.ts';
import type { NetworkKey } from '../calls/values.ts';
import { type Procedure, serve } from '../rpc/procedure.ts';
import { AFFECT_FLAGS, activeNetwork, affectedBy, checkFlags, foundNetwork } from './found-network.ts';
import { badArgument, notNow } from './refusals.ts';
import type { Session } from './session.ts';

const VALIDATE = 1;

export const NETWORK_PROCEDURES: readonly Procedure<Session>[] = [
  serve(CALLS.defineXml, 'write', async ({ networks }: Session, { xml }) => ({
    network: keyOf(await networks.define(xml, { validate: false })),
  })),
  serve(CALLS.defineXmlFlags, 'write', async ({ networks }: Session, { xml, flags }) => {
    checkFlags(flags, VALIDATE, CALLS.defineXmlFlags.name);
    return { network: keyOf(await networks.define(xml, { validate: flags === VALIDATE })) };
  }),
  serve(CALLS.createXml, 'write', async ({ networks }: Session, { xml }) => ({
    network: keyOf(await networks.create(xml, { validate: false })),
  })),
  serve(CALLS.createXmlFlags, 'write', async ({ networks }: Session, { xml, flags }) => {
    checkFlags(flags, VALIDATE, CALLS.createXmlFlags.name);
    return { network: keyOf(await networks.create(xml, { validate: flags === VALIDATE })) };
  }),
  serve(CALLS.create, 'write', (session: Session, { network }) => {
    const { active, uuid } = foundNetwork(session, network);
    if (active) throw notNow('network is already active');
    return session.networks.start(uuid);
  }),
  serve(CALLS.destroy, 'write', (session: Session, { network }) =>
    session.networks.stop(activeNetwork(session, network).uuid),
  ),
  serve(CALLS.undefine, 'write', (session: Session, { network }) => {
    const { persistent, uuid } = foundNetwork(session, network);
    if (!persistent) throw notNow("can't undefine transient network");
    return session.networks.undefine(uuid);
  }),
  serve(CALLS.setAutostart, 'write', (session: Session, { network, autostart }) => {
    const found = foundNetwork(session, network);
    if (!found.persistent) throw notNow('cannot set autostart for transient network');
    return found.autostart === autostart ? undefined : session.networks.setAutostart(found.uuid, autostart);
  }),
  serve(CALLS.update, 'write', (session: Session, { network, flags, ...change }) => {
    checkFlags(flags, AFFECT_FLAGS, CALLS.update.name);
    const found = foundNetwork(session, network);
    return session.networks.update(found.uuid, change, affectedBy(flags, found));
  }),
  serve(CALLS.setMetadata, 'write', (session: Session, { network, type, metadata: text, key, uri, flags }) => {
    checkFlags(flags, AFFECT_FLAGS, CALLS.setMetadata.name);
    checkMetadata(type, { text, key, uri });
    const found = foundNetwork(session, network);
    return session.networks.setMetadata(found.uuid, { type, text, key, uri }, affectedBy(flags, found));
  }),
];

function keyOf({ name, uuid }: NetworkKey): NetworkKey {
  return { name, uuid };
}

interface MetadataArguments {
  readonly text: string | undefined;
  readonly key: string | undefined;
  readonly uri: string | undefined;
}

/** @throws VirError 8, with the words of virNetworkSetMetadata */
function checkMetadata(type: number, { text, key, uri }: MetadataArguments): void {
  const absent = (name: string) => badArgument(`${name} in virNetworkSetMetadata must not be NULL`);
  const present = (name: string) => badArgument(`${name} in virNetworkSetMetadata must be NULL`);
  if (type === METADATA_TYPE.element) {
    if (uri === undefined) throw absent('uri');
    if (text !== undefined && key === undefined) throw absent('key');
  } else if (type === METADATA_TYPE.title || type === METADATA_TYPE.description) {
    if (type === METADATA_TYPE.title && text?.includes('\n'))
      throw badArgument("metadata title can't contain newlines");
    if (uri !== undefined) throw present('uri');
    if (key !== undefined) throw present('key');
  } else throw badArgument(`invalid argument: unknown metadata type: ${type}`);
}
