/** The procedures of the ports of networks. */
import { PORT_CALLS as CALLS } from '../calls/port-calls.ts';
import { LIST_MAX } from '../calls/values.ts';
import { type Procedure, serve } from '../rpc/procedure.ts';
import { activeNetwork, checkFlags, foundPort } from './found-network.ts';
import { noPort } from './refusals.ts';
import type { Session } from './session.ts';

const RECLAIM = 1;
const VALIDATE = 2;
/** virTypedParameterFlags: the peer takes texts as parameters. */
const TEXTS_TOO = 4;

export const PORT_PROCEDURES: readonly Procedure<Session>[] = [
  serve(CALLS.listAllPorts, 'open', (session: Session, { network, needResults, flags }) => {
    checkFlags(flags, 0, CALLS.listAllPorts.name);
    const { name, uuid } = activeNetwork(session, network);
    const ports = session.networks.ports(uuid);
    const named = ports.slice(0, LIST_MAX).map((port) => ({ network: { name, uuid }, uuid: port }));
    return { ports: needResults === 0 ? [] : named, count: ports.length };
  }),
  serve(CALLS.lookupByUuid, 'open', (session: Session, { network, uuid: port }) => {
    const { name, uuid } = activeNetwork(session, network);
    if (!session.networks.ports(uuid).includes(port)) throw noPort(port);
    return { port: { network: { name, uuid }, uuid: port } };
  }),
  serve(CALLS.createXml, 'write', async (session: Session, { network, xml, flags }) => {
    checkFlags(flags, RECLAIM | VALIDATE, CALLS.createXml.name);
    const { name, uuid } = activeNetwork(session, network);
    const options = { reclaim: (flags & RECLAIM) !== 0, validate: (flags & VALIDATE) !== 0 };
    return { port: { network: { name, uuid }, uuid: await session.networks.createPort(uuid, xml, options) } };
  }),
  serve(CALLS.getXmlDesc, 'open', (session: Session, { port, flags }) => {
    checkFlags(flags, 0, CALLS.getXmlDesc.name);
    return { xml: session.networks.portXml(foundPort(session, port).uuid, port.uuid) };
  }),
  serve(CALLS.delete, 'write', (session: Session, { port, flags }) => {
    checkFlags(flags, 0, CALLS.delete.name);
    return session.networks.deletePort(foundPort(session, port).uuid, port.uuid);
  }),
  serve(CALLS.getParameters, 'open', (session: Session, { port, count, flags }) => {
    checkFlags(flags, TEXTS_TOO, CALLS.getParameters.name);
    const parameters = session.networks.portParameters(foundPort(session, port).uuid, port.uuid);
    // A client asks first how many there are, with room for none.
    return { parameters: count === 0 ? [] : parameters.slice(0, count), count: parameters.length };
  }),
  serve(CALLS.setParameters, 'write', (session: Session, { port, parameters, flags }) => {
    checkFlags(flags, TEXTS_TOO, CALLS.setParameters.name);
    return session.networks.setPortParameters(foundPort(session, port).uuid, port.uuid, parameters);
  }),
];
