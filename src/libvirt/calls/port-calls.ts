/** The calls of the ports of networks. */
import { INT, sequence, struct, UINT, UUID, VOID } from '../xdr/codec.ts';
import { call } from './call.ts';
import { LIST_MAX, NETWORK, PORT, STRING, TYPED_PARAMETERS } from './values.ts';

const ANSWER_PORT = struct({ port: PORT });
const OF_PORT = struct({ port: PORT, flags: UINT });

export const PORT_CALLS = {
  listAllPorts: call(
    404,
    'networkListAllPorts',
    struct({ network: NETWORK, needResults: INT, flags: UINT }),
    struct({ ports: sequence(PORT, LIST_MAX), count: UINT }),
  ),
  lookupByUuid: call(405, 'networkPortLookupByUUID', struct({ network: NETWORK, uuid: UUID }), ANSWER_PORT),
  createXml: call(406, 'networkPortCreateXML', struct({ network: NETWORK, xml: STRING, flags: UINT }), ANSWER_PORT),
  getParameters: call(
    407,
    'networkPortGetParameters',
    struct({ port: PORT, count: INT, flags: UINT }),
    struct({ parameters: TYPED_PARAMETERS, count: INT }),
  ),
  setParameters: call(
    408,
    'networkPortSetParameters',
    struct({ port: PORT, parameters: TYPED_PARAMETERS, flags: UINT }),
    VOID,
  ),
  getXmlDesc: call(409, 'networkPortGetXMLDesc', OF_PORT, struct({ xml: STRING })),
  delete: call(410, 'networkPortDelete', OF_PORT, VOID),
} as const;
