/**
 * The services of a network, such as router advertisements. The store has each as a document of its own, under
 * `/v1/networks/<number in hex>/services/<kind>`. A kind is a file beside this one, and a row here.
 */
import * as form from '../../form.ts';
import { type Dhcp4Service, Dhcp4ServiceShape } from './dhcp4.ts';
import { type Dhcp6Service, Dhcp6ServiceShape } from './dhcp6.ts';
import { type DnsService, DnsServiceShape } from './dns.ts';
import { type Dns64Service, Dns64ServiceShape } from './dns64.ts';
import { type Nat44Service, Nat44ServiceShape } from './nat44.ts';
import { type Nat64Service, Nat64ServiceShape } from './nat64.ts';
import { type RaService, RaServiceShape } from './ra.ts';
import { type RouteService, RouteServiceShape } from './route.ts';

/** All kinds of services that a network can have. A version that does not carry one out refuses the kind. */
export const SERVICE_KINDS = ['ra', 'dhcp4', 'dhcp6', 'dns', 'nat44', 'route', 'nat64', 'dns64'] as const;

/** The kind of a service. */
export type ServiceKind = (typeof SERVICE_KINDS)[number];

/** What exists once in a network: it is on the active router alone. */
export const SINGLE_KINDS: readonly ServiceKind[] = ['nat44', 'route', 'nat64', 'dns64'];

/** One service of a network, as it is wanted. */
export type NetworkService =
  | RaService
  | Dhcp4Service
  | Dhcp6Service
  | DnsService
  | Nat44Service
  | RouteService
  | Nat64Service
  | Dns64Service;

/** The kinds that this version carries out. */
export const SERVED_KINDS: readonly NetworkService['kind'][] = SERVICE_KINDS;

/** The form of a service in documents. */
export const NetworkServiceShape: form.Shape<NetworkService> = form.variants('kind', [
  RaServiceShape,
  Dhcp4ServiceShape,
  Dhcp6ServiceShape,
  DnsServiceShape,
  Nat44ServiceShape,
  RouteServiceShape,
  Nat64ServiceShape,
  Dns64ServiceShape,
]);
