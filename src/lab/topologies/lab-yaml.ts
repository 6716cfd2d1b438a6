/** Reads the YAML that people write for labs by its form, and shows a fault at its place. */
import { placeAt } from '../../formats/network/written-network.ts';
import { parseYaml, type YamlDocument } from '../../formats/network/yaml-document.ts';
import { MeshError } from '../../model/error.ts';
import { Misfit, placeOf, type Shape, type Words } from '../../model/form.ts';

/** Refuses a part of the document: throws MESH_LAB_TOPOLOGY with its place. */
export type Refuse = (path: readonly PropertyKey[], message: string, words: Words) => never;

/**
 * @param file its name, for errors
 * @param words what such a document is, and where to compare it
 * @param judge says what the form cannot say
 * @throws MESH_LAB_TOPOLOGY, MESH_CONF_* with the place in the file
 */
export function readLabYaml<T>(
  shape: Shape<T>,
  file: string,
  text: string,
  words: Words,
  judge: (document: T, refuse: Refuse) => void = () => {},
): T {
  const yaml = parsed(file, text, words);
  const refuse: Refuse = (path, message, own) => {
    const place = placeAt(file, text, yaml.offsetOf(path.map(String)));
    throw new MeshError('MESH_LAB_TOPOLOGY', message, { ...own, place });
  };
  try {
    const document = shape.read(yaml.value, true);
    judge(document, refuse);
    return document;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const { path, words: own = words } = error;
    return refuse(path, `${path.length === 0 ? 'the document' : placeOf(path)} does not fit`, own);
  }
}

/** The parser speaks of networks: a fault of a document of a lab says what that is. */
function parsed(file: string, text: string, words: Words): YamlDocument {
  try {
    return parseYaml(file, text);
  } catch (error) {
    if (!(error instanceof MeshError) || error.place === undefined) throw error;
    const remedy = error.remedy?.includes('mesh network') ? words.remedy : error.remedy;
    const rule = error.rule?.includes('network') ? words.rule : error.rule;
    throw new MeshError(error.code, error.message, {
      place: error.place,
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
    });
  }
}
