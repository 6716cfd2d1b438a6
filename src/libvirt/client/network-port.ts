/** A port (virNetworkPort) of a network. */
import { PORT_CALLS as CALLS } from '../calls/port-calls.ts';
import type { Parameter, PortKey } from '../calls/values.ts';
import type { ClientConnection } from './client-connection.ts';

/** As many parameters as a port has at most. */
const PARAMETERS_MAX = 16;
/** virTypedParameterType of an unsigned number. */
const UINT = 2;

/** A port. Its functions ask the server each time. */
export class NetworkPort {
  readonly #owner: { readonly channel: ClientConnection };
  readonly #key: PortKey;

  constructor(owner: { readonly channel: ClientConnection }, key: PortKey) {
    this.#owner = owner;
    this.#key = key;
  }

  /** virNetworkPortGetUUIDString */
  getUuidString(): string {
    return this.#key.uuid;
  }

  /** virNetworkPortGetXMLDesc */
  async getXmlDesc(): Promise<string> {
    return (await this.#owner.channel.call(CALLS.getXmlDesc, { port: this.#key, flags: 0 })).xml;
  }

  /** virNetworkPortDelete */
  async delete(): Promise<void> {
    await this.#owner.channel.call(CALLS.delete, { port: this.#key, flags: 0 });
  }

  /** virNetworkPortGetParameters: limits by name, as `inbound.average`. */
  async getParameters(): Promise<Readonly<Record<string, Parameter['value']['value']>>> {
    const wanted = { port: this.#key, count: PARAMETERS_MAX, flags: 0 };
    const { parameters } = await this.#owner.channel.call(CALLS.getParameters, wanted);
    return Object.fromEntries(parameters.map(({ field, value }) => [field, value.value]));
  }

  /** virNetworkPortSetParameters */
  async setParameters(limits: Readonly<Record<string, number>>): Promise<void> {
    const parameters = Object.entries(limits).map(
      ([field, value]): Parameter => ({ field, value: { type: UINT, value } }),
    );
    await this.#owner.channel.call(CALLS.setParameters, { port: this.#key, parameters, flags: 0 });
  }
}
