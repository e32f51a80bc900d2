/** What a network is called on the page. */

/** The texts of each kind of network; those of a folder or an ensemble carry their own names. */
const KINDS = {
  main: "model_main",
  robust: "model_robust",
  opened: "model_opened",
  kept: "model_kept",
  folder: "model_kept",
  member: "model_member",
};

/**
 * A text's key and its values, for `say` and `make`.
 *
 * @returns {[string, Object]}
 */
export function networkName({ id, kind }) {
  const [ensemble, member] = id.split(".");
  return [KINDS[kind], { id, ensemble, member: member ?? "" }];
}
