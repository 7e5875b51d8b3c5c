"""Finds copies, leaks, conflicting labels and empty pictures in a manifest.

The component `ImageAudit` stands between `ImageIngest` and `ImageExampleGen`. Its outputs:

`audited_manifest`, an ImageManifest like that of `ImageIngest` (`manifest.parquet`, `source.json`),
in which the files that a policy dropped are pruned with their reason (`manifest.PruneReason`).

`findings`, an ImageFindings: the folder holds `findings.json`, a list with one object for each kind,
in the order of `kinds.Kind`, also where nothing was found:

    kind      str: a `kinds.Kind`
    policy    str: report, drop or fail
    groups    int: number of groups of pictures that belong together
    images    int: number of files in them
    dropped   int: number of train files that the policy pruned
    causes    object: cause -> files, of `uninformative` alone (constant); its groups are the causes
    examples  list of lists of str: the first five groups
    files     list of lists of str: every group; paths relative to the root of the manifest

`findings.read_findings(uri)` reads it. `summary.json` of a run holds the same list under `findings`,
without `files`; the JSON of `emotion validate` holds it whole.
"""
