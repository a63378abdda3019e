"""New images from a bank: a recipe is drawn into a record, a record is rendered."""
