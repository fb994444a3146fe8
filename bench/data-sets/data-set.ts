/** What a data set is. */

export type DataSetName = 'random' | 'tree' | 'tiny' | 'database' | 'start';

/** `first` and `unchanged` are backups, `edit` is the backup after a change, `start` prints the version. */
export type Scenario = 'first' | 'unchanged' | 'verify' | 'restore' | 'edit' | 'start';

export interface DataSet {
  readonly name: DataSetName;
  readonly scenarios: readonly Scenario[];
  /** Says what {@link make} makes, sizes and seeds included: data made by the same recipe is used again. */
  readonly recipe: string;
  /** An upper bound of what it occupies. */
  readonly spaceBytes: number;
  /** Fills a new folder. */
  make(folder: string): Promise<DataSetContent>;
  /** Makes the change before the scenario `edit`. */
  edit?(folder: string): void;
  /** Brings back what {@link make} made, whatever {@link edit} did. */
  revert?(folder: string): void;
}

export interface DataSetContent {
  /** For the report: one line, without the name. */
  readonly description: string;
  readonly files: number;
  readonly bytes: number;
}
