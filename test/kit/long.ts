/** Whether this is `npm run test:long`: all counts, moments and variants, where `npm test` has one of each kind. */
export const LONG = process.env.MESH_LONG === '1';
