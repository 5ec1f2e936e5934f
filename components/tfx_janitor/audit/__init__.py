"""What is wrong in a store, on its disks and in the directories that model servers watch; changes nothing."""
