"""ECS: instances, from their making to their end."""

from datetime import UTC, datetime, timedelta

from harness.build import IMAGE_FAMILY, INSTANCE_TYPE, base64_of
from harness.check import contains, equal, has, one
from harness.registry import case
from harness.waiting import wait_for


def described(stage, instance):
    """An instance as DescribeInstances has it."""
    return one("DescribeInstances", stage("Ecs.DescribeInstances", InstanceIds=f'["{instance}"]')["Instances"]["Instance"])


@case
def instances_are_made_as_asked(stage):
    shared = stage.build.shared
    tag = {"Key": "role", "Value": "node"}
    more = {
        "InstanceName": "worker-[1,2]-x",
        "HostName": "worker",
        "InternetMaxBandwidthOut": 5,
        "HttpTokens": "required",
        "Tag": [tag],
    }
    first, second = stage.build.instances(2, **more)
    found = stage("Ecs.DescribeInstances", Tag=[tag])["Instances"]["Instance"]
    equal("instances with the tag", sorted(one["InstanceId"] for one in found), sorted([first, second]))
    equal("names", sorted(one["InstanceName"] for one in found), ["worker-01-x", "worker-02-x"])
    instance = described(stage, first)
    contains(
        "the instance",
        instance,
        {"InstanceType": INSTANCE_TYPE, "Status": "Running", "InternetMaxBandwidthOut": 5, "ZoneId": "cn-hangzhou-h"},
    )
    equal("security groups", instance["SecurityGroupIds"]["SecurityGroupId"], [shared["group"]])
    contains("its place", instance["VpcAttributes"], {"VpcId": shared["vpc"], "VSwitchId": shared["vswitches"][0]})
    equal("tags", instance["Tags"]["Tag"], [{"TagKey": "role", "TagValue": "node"}])
    equal("public addresses", len(instance["PublicIpAddress"]["IpAddress"]), 1)
    equal("HttpTokens", instance["MetadataOptions"]["HttpTokens"], "required")


@case
def an_instance_is_read_alone_and_changed(stage):
    instance = stage.build.instance(InstanceName="before")
    read = stage("Ecs.DescribeInstanceAttribute", InstanceId=instance)
    contains("the instance", read, {"InstanceId": instance, "InstanceName": "before", "Status": "Running"})
    change = {"InstanceName": "after", "Description": "changed by a test", "DeletionProtection": True}
    stage("Ecs.ModifyInstanceAttribute", InstanceId=instance, **change)
    contains("the changed instance", described(stage, instance), change)
    stage("Ecs.ModifyInstanceAttribute", InstanceId=instance, DeletionProtection=False)
    equal("DeletionProtection", described(stage, instance)["DeletionProtection"], False)


@case
def one_instance_is_stopped_started_restarted_and_deleted(stage):
    instance = stage.build.instance()
    stage("Ecs.StopInstance", InstanceId=instance)
    stage.build.instance_is(instance, "Stopped")
    stage("Ecs.StartInstance", InstanceId=instance)
    stage.build.instance_is(instance, "Running")
    stage("Ecs.RebootInstance", InstanceId=instance)
    stage.build.instance_is(instance, "Running")
    stage("Ecs.DeleteInstance", InstanceId=instance, Force=True)
    gone = lambda: stage("Ecs.DescribeInstances", InstanceIds=f'["{instance}"]')["Instances"]["Instance"] == []
    wait_for(f"{instance} is gone", gone)


@case
def several_instances_are_stopped_started_and_deleted(stage):
    ids = stage.build.instances(2)
    answer = stage("Ecs.StopInstances", InstanceId=ids)["InstanceResponses"]["InstanceResponse"]
    equal("stopped", sorted(one["InstanceId"] for one in answer), sorted(ids))
    equal("previous states", {one["PreviousStatus"] for one in answer}, {"Running"})
    status = lambda: stage("Ecs.DescribeInstanceStatus", InstanceId=ids)["InstanceStatuses"]["InstanceStatus"]
    wait_for("both are Stopped", lambda: {one["Status"] for one in status()} == {"Stopped"})
    stage("Ecs.StartInstances", InstanceId=ids)
    wait_for("both are Running", lambda: {one["Status"] for one in status()} == {"Running"})
    stage("Ecs.DeleteInstances", InstanceId=ids, Force=True)
    wait_for("both are gone", lambda: status() == [])


@case
def user_data_comes_back(stage):
    script = base64_of("#!/bin/sh\necho here\n")
    instance = stage.build.instance(UserData=script)
    answer = stage("Ecs.DescribeUserData", InstanceId=instance)
    contains("user data", answer, {"InstanceId": instance, "UserData": script})
    plain = stage("Ecs.DescribeUserData", InstanceId=stage.build.instance())
    equal("no user data", plain["UserData"], "")


@case
def network_interfaces_are_listed(stage):
    instance = stage.build.instance()
    listed = stage("Ecs.DescribeNetworkInterfaces", InstanceId=instance)["NetworkInterfaceSets"]["NetworkInterfaceSet"]
    interface = one("interfaces", listed)
    address = one("addresses", described(stage, instance)["VpcAttributes"]["PrivateIpAddress"]["IpAddress"])
    contains("the interface", interface, {"InstanceId": instance, "PrivateIpAddress": address, "Type": "Primary"})


@case
def disks_are_listed_and_go_with_their_instance(stage):
    data = [{"Category": "cloud_essd", "Size": 60}]
    instance = stage.build.instance(DataDisk=data, SystemDisk={"Category": "cloud_essd", "Size": "50"})
    disks = lambda: stage("Ecs.DescribeDisks", InstanceId=instance)["Disks"]["Disk"]
    sizes = sorted((one["Type"], one["Category"], one["Size"], one["Status"]) for one in disks())
    equal("disks", sizes, [("data", "cloud_essd", 60, "In_use"), ("system", "cloud_essd", 50, "In_use")])
    stage("Ecs.DeleteInstance", InstanceId=instance, Force=True)
    wait_for("the disks are gone", lambda: disks() == [])


@case
def a_disk_grows_and_may_be_told_to_stay(stage):
    instance = stage.build.instance(DataDisk=[{"Category": "cloud_essd", "Size": 60}])
    disks = lambda: stage("Ecs.DescribeDisks", InstanceId=instance)["Disks"]["Disk"]
    data = lambda: one("data disks", [disk for disk in disks() if disk["Type"] == "data"])
    disk = data()["DiskId"]
    stage("Ecs.ResizeDisk", DiskId=disk, NewSize=80, Type="online")
    equal("its size", data()["Size"], 80)
    stage("Ecs.ModifyDiskAttribute", DiskId=disk, DiskName="grown", DeleteWithInstance=False)
    contains("the disk", data(), {"DiskName": "grown", "DeleteWithInstance": False})
    stage("Ecs.ModifyDiskAttribute", DiskId=disk, DeleteWithInstance=True)
    equal("whether it goes", data()["DeleteWithInstance"], True)


@case
def a_release_time_is_set_and_taken_back(stage):
    instance = stage.build.instance()
    stage("Ecs.ModifyInstanceAutoReleaseTime", InstanceId=instance, AutoReleaseTime=in_hours(4))
    equal("its release time", described(stage, instance)["AutoReleaseTime"], in_hours(4)[:16] + "Z")
    stage("Ecs.ModifyInstanceAutoReleaseTime", InstanceId=instance)
    equal("its release time", described(stage, instance)["AutoReleaseTime"], "")


def in_hours(hours):
    """A full hour ahead, as the cloud is told of it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:00:00Z")


@case
def a_public_address_is_given_later(stage):
    instance = stage.build.instance(InternetMaxBandwidthOut=0)
    equal("public addresses", described(stage, instance)["PublicIpAddress"]["IpAddress"], [])
    other = stage.build.instance(InternetMaxBandwidthOut=3)
    address = stage("Ecs.AllocatePublicIpAddress", InstanceId=other)["IpAddress"]
    equal("its address", described(stage, other)["PublicIpAddress"]["IpAddress"], [address])


@case
def the_console_says_something(stage):
    instance = stage.build.instance()
    answer = stage("Ecs.GetInstanceConsoleOutput", InstanceId=instance)
    equal("whose output", answer["InstanceId"], instance)
    assert answer["ConsoleOutput"], "the console is silent"


@case
def a_new_instance_goes_through_every_state(stage):
    cloud = stage.brisk
    shared = cloud.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": IMAGE_FAMILY, "SecurityGroupId": shared["group"]}
    answer = cloud("Ecs.RunInstances", VSwitchId=shared["vswitches"][0], **new)
    instance = one("instances", answer["InstanceIdSets"]["InstanceIdSet"])
    seen = []

    def look():
        status = cloud("Ecs.DescribeInstanceAttribute", InstanceId=instance)["Status"]
        if status not in seen:
            seen.append(status)
        return status == "Running"

    wait_for(f"{instance} is Running", look)
    equal("states", [state for state in seen if state != "Stopped"], ["Pending", "Starting", "Running"])
    cloud("Ecs.StopInstance", InstanceId=instance)
    equal("after StopInstance", cloud("Ecs.DescribeInstanceAttribute", InstanceId=instance)["Status"], "Stopping")
    cloud.build.instance_is(instance, "Stopped")
    has("statuses", [one["Status"] for one in cloud("Ecs.DescribeInstanceStatus")["InstanceStatuses"]["InstanceStatus"]], "Stopped")
